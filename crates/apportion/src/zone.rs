//! Time zones: the machine's, and those that instructions keep their hours in.

use apportion_core::Time;
use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};

/// Seconds that local time is ahead of UTC in a zone at a time; a zone that is not known is the machine's.
#[must_use]
pub fn offset_s(zone: Option<&str>, at: Time) -> i64 {
    let zone = zone.and_then(named).unwrap_or_else(TimeZone::system);
    let at = Timestamp::from_millisecond(at.0).unwrap_or(if at.0 < 0 { Timestamp::MIN } else { Timestamp::MAX });
    zone.to_offset(at).seconds().into()
}

/// The zone of a name: IANA's, or an offset such as `+08:00`.
#[must_use]
pub fn named(name: &str) -> Option<TimeZone> {
    let fixed = || jiff::fmt::strtime::parse("%:z", name).ok()?.offset().map(Offset::to_time_zone);
    fixed().or_else(|| TimeZone::get(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets() {
        let check = |zone: &str, at: &str, ahead_s| {
            assert_eq!(
                offset_s(Some(zone), Time(at.parse::<Timestamp>().unwrap().as_millisecond())),
                ahead_s,
                "{zone} {at}"
            );
        };
        check("Asia/Shanghai", "2026-11-23T09:00:00Z", 28_800);
        check("+08:00", "2026-11-23T09:00:00Z", 28_800);
        check("-03:30", "2026-11-23T09:00:00Z", -12_600);
        check("Europe/Berlin", "2026-10-25T00:59:00Z", 7_200);
        check("Europe/Berlin", "2026-10-25T01:00:00Z", 3_600);
        assert_eq!(named("Nowhere/At_All"), None);
        assert_eq!(offset_s(Some("Nowhere/At_All"), Time::default()), offset_s(None, Time::default()));
    }
}
