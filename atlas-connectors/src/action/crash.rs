//! Named points between any two steps, at which a test ends the process or drops the future. Compiled in for tests only.

/// Reaches a named point: nothing at all, unless built for tests.
#[cfg(not(any(test, feature = "testkit")))]
macro_rules! crash_point {
    ($point:ident) => {};
}

/// Reaches a named point.
#[cfg(any(test, feature = "testkit"))]
macro_rules! crash_point {
    ($point:ident) => {
        $crate::testkit::CrashPoint::$point.reach().await
    };
}
