//! For test harnesses: a clock that is moved by hand, behaviour suites, fault injection and crash points.

mod clock;

pub use clock::ManualClock;
