//! The date format of HTTP, RFC 9110 §5.6.7.

/// A date as a field carries it: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpDate([u8; 29]);

impl HttpDate {
    /// The date of a point in Unix time; the last one with four digits of year where it is later.
    pub fn from_unix_seconds(unix_seconds: u64) -> HttpDate {
        const DAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed";
        const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
        /// 31 December 9999, 23:59:59.
        const LAST: u64 = 253_402_300_799;
        let seconds = unix_seconds.min(LAST);
        let (days, in_day) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let weekday = (days % 7) as usize * 3;
        let month_at = (month as usize - 1) * 3;
        let mut date = *b"Thu, 00 Jan 0000 00:00:00 GMT";
        date[..3].copy_from_slice(&DAYS[weekday..weekday + 3]);
        two_digits(&mut date[5..7], day);
        date[8..11].copy_from_slice(&MONTHS[month_at..month_at + 3]);
        two_digits(&mut date[12..14], year / 100);
        two_digits(&mut date[14..16], year % 100);
        two_digits(&mut date[17..19], in_day / 3600);
        two_digits(&mut date[20..22], in_day / 60 % 60);
        two_digits(&mut date[23..25], in_day % 60);
        HttpDate(date)
    }

    /// The 29 bytes.
    pub fn as_bytes(&self) -> &[u8; 29] {
        &self.0
    }
}

fn two_digits(place: &mut [u8], value: u64) {
    place[0] = b'0' + (value / 10 % 10) as u8;
    place[1] = b'0' + (value % 10) as u8;
}

/// Year, month and day of a day since 1 January 1970, in the proleptic Gregorian calendar.
///
/// Counts from 1 March of year 0, so that a leap day is the last day of its year; 146,097 days
/// are 400 years.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, in_era) = (days / 146_097, days % 146_097);
    let year_of_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_are_rendered() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let date = HttpDate::from_unix_seconds(seconds);
            assert_eq!(str::from_utf8(date.as_bytes()), Ok(text));
        }
    }
}
