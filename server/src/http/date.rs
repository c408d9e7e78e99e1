//! The date formats of HTTP, RFC 9110 §5.6.7: one is written, three are read.

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

/// Reads a date in any of the three formats, as seconds since 1970; nothing where it is none.
///
/// `now` in seconds since 1970 tells the century of a year with two digits: it is at most 50 years
/// ahead.
pub fn parse(value: &[u8], now: i64) -> Option<i64> {
    let text = str::from_utf8(value).ok()?;
    match text.as_bytes().get(3)? {
        b',' => parse_fixdate(text),
        b' ' => parse_asctime(text),
        _ => parse_rfc850(text, now),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn parse_fixdate(text: &str) -> Option<i64> {
    let (weekday, rest) = text.split_once(", ")?;
    let rest = rest.strip_suffix(" GMT")?;
    let [day, month, year, time] = fields(rest, ' ')?;
    WEEKDAYS.iter().find(|known| known.get(..3) == Some(weekday))?;
    seconds(number(year, 4)?, month, number(day, 2)?, time)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn parse_rfc850(text: &str, now: i64) -> Option<i64> {
    let (weekday, rest) = text.split_once(", ")?;
    let [date, time] = fields(rest.strip_suffix(" GMT")?, ' ')?;
    let [day, month, year] = fields(date, '-')?;
    WEEKDAYS.iter().find(|known| **known == weekday)?;
    let (day, short_year) = (number(day, 2)?, number(year, 2)?);
    let (this_year, this_month, this_day) = civil(u64::try_from(now / 86_400).unwrap_or(0));
    let (this_year, this_month, this_day) =
        (i64::try_from(this_year).ok()?, i64::try_from(this_month).ok()?, i64::try_from(this_day).ok()?);
    let latest = days(this_year + 50, this_month, this_day) * 86_400 + now.rem_euclid(86_400);
    let in_this_century = this_year - this_year % 100 + short_year;
    // A leap day need not be one in the century before.
    match seconds(in_this_century, month, day, time) {
        Some(seconds) if seconds <= latest => Some(seconds),
        _ => seconds(in_this_century - 100, month, day, time),
    }
}

/// `Sun Nov  6 08:49:37 1994`
fn parse_asctime(text: &str) -> Option<i64> {
    let weekday = text.get(..3)?;
    WEEKDAYS.iter().find(|known| known.get(..3) == Some(weekday))?;
    let (month, day) = (text.get(4..7)?, text.get(8..10)?);
    let [time, year] = fields(text.get(11..)?, ' ')?;
    let separators = [3, 7, 10].map(|at| text.as_bytes().get(at).copied());
    if separators != [Some(b' '); 3] {
        return None;
    }
    let day = match day.strip_prefix(' ') {
        Some(digit) => number(digit, 1)?,
        None => number(day, 2)?,
    };
    seconds(number(year, 4)?, month, day, time)
}

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The parts of `text`, where there are just so many.
fn fields<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    let mut parts = text.split(separator);
    let mut found = [""; N];
    for place in &mut found {
        *place = parts.next()?;
    }
    parts.next().is_none().then_some(found)
}

/// A number of just so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let valid = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if valid { text.parse().ok() } else { None }
}

/// Seconds since 1970 of a day and a time `08:49:37`; nothing where there is no such day or time.
fn seconds(year: i64, month: &str, day: i64, time: &str) -> Option<i64> {
    let month = i64::try_from(MONTHS.iter().position(|known| *known == month)?).ok()? + 1;
    let [hour, minute, second] = fields(time, ':')?;
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    // RFC 9110 §5.6.7: a leap second is the 60th.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days(year, month, day);
    // A day that the month does not have would come out as one of another month.
    let same = u64::try_from(days + DAYS_BEFORE_1970).ok().map(from_1_march_0)?;
    let same = (i64::try_from(same.0).ok()?, i64::try_from(same.1).ok()?, i64::try_from(same.2).ok()?);
    (same == (year, month, day)).then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1 January 1970 to a day, in the proleptic Gregorian calendar: the reverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let in_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + in_year - DAYS_BEFORE_1970
}

/// Days from 1 March of year 0 to 1 January 1970.
const DAYS_BEFORE_1970: i64 = 719_468;

fn two_digits(place: &mut [u8], value: u64) {
    place[0] = b'0' + (value / 10 % 10) as u8;
    place[1] = b'0' + (value % 10) as u8;
}

/// Year, month and day of a day since 1 January 1970, in the proleptic Gregorian calendar.
///
/// Counts from 1 March of year 0, so that a leap day is the last day of its year; 146,097 days
/// are 400 years.
pub fn civil(days: u64) -> (u64, u64, u64) {
    from_1_march_0(days + DAYS_BEFORE_1970.unsigned_abs())
}

fn from_1_march_0(days: u64) -> (u64, u64, u64) {
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
    fn three_formats_are_read() {
        // RFC 9110 §5.6.7 has these three.
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse(text.as_bytes(), 784_111_777), Some(784_111_777), "{text}");
        }
        assert_eq!(parse(b"Wed Nov 16 08:49:37 1994", 0), Some(784_111_777 + 864_000));
        assert_eq!(parse(b"Thu, 29 Feb 1996 23:59:60 GMT", 0), Some(825_638_400));
        assert_eq!(parse(b"Wed, 31 Dec 1969 23:59:59 GMT", 0), Some(-1));
    }

    #[test]
    fn two_digits_of_a_year_are_at_most_50_years_ahead() {
        // 1 January 2026.
        let now = 1_767_225_600;
        let date = |text: &str| HttpDate::from_unix_seconds(parse(text.as_bytes(), now).unwrap() as u64);
        assert!(date("Thursday, 01-Jan-76 00:00:00 GMT").as_bytes().ends_with(b"2076 00:00:00 GMT"));
        assert!(date("Thursday, 01-Jan-77 00:00:00 GMT").as_bytes().ends_with(b"1977 00:00:00 GMT"));
        // To the second, not to the year.
        assert!(date("Thursday, 01-Jan-76 00:00:01 GMT").as_bytes().ends_with(b"1976 00:00:01 GMT"));
        assert!(date("Friday, 31-Dec-76 23:59:59 GMT").as_bytes().ends_with(b"1976 23:59:59 GMT"));
        let noon = now + 43_200;
        let date = |text: &str| HttpDate::from_unix_seconds(parse(text.as_bytes(), noon).unwrap() as u64);
        assert!(date("Thursday, 01-Jan-76 12:00:00 GMT").as_bytes().ends_with(b"2076 12:00:00 GMT"));
        assert!(date("Thursday, 01-Jan-76 12:00:01 GMT").as_bytes().ends_with(b"1976 12:00:01 GMT"));
        assert!(date("Thursday, 01-Jan-25 00:00:00 GMT").as_bytes().ends_with(b"2025 00:00:00 GMT"));
    }

    #[test]
    fn what_is_written_is_read() {
        for seconds in (0..4_102_444_800_u64).step_by(7_654_321).chain([253_402_300_799]) {
            let date = HttpDate::from_unix_seconds(seconds);
            assert_eq!(parse(date.as_bytes(), 0), i64::try_from(seconds).ok());
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "Sun",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Xyz, 06 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 29 Feb 1995 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov +994 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Anyday, 06-Nov-94 08:49:37 GMT",
            "Any Nov  6 08:49:37 1994",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov  6 08:49:37 94",
            "Sun Nov  6 08:49:37 1994 GMT",
            "Sun\u{e9} Nov  6 08:49:37 1994",
            "784111777",
        ] {
            assert_eq!(parse(text.as_bytes(), 0), None, "{text}");
        }
    }

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
