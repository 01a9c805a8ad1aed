package httpcache

import (
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// RFC 9110 section 5.6.7, read as RFC 9111 section 4.2 asks of caches.
func TestParseDate(t *testing.T) {
	sample := time.Date(1994, time.November, 6, 8, 49, 37, 0, time.UTC)
	at := func(year int, month time.Month, day, hour, minute, sec int) time.Time {
		return time.Date(year, month, day, hour, minute, sec, 0, time.UTC)
	}
	for _, c := range []struct {
		name, value string
		want        time.Time // zero if the value is no date
	}{
		{"preferred form", "Sun, 06 Nov 1994 08:49:37 GMT", sample},
		{"RFC 850 form", "Sunday, 06-Nov-94 08:49:37 GMT", sample},
		{"asctime form", "Sun Nov  6 08:49:37 1994", sample},
		{"asctime form, day of two digits", "Wed Nov 16 08:49:37 1994", at(1994, 11, 16, 8, 49, 37)},
		{"beyond 32 bits", "Tue, 19 Jan 2038 14:14:08 GMT", at(2038, 1, 19, 14, 14, 8)},
		{"far future", "Sun, 21 Nov 2286 04:46:39 GMT", at(2286, 11, 21, 4, 46, 39)},
		{"last year of all", "Fri, 31 Dec 9999 23:59:59 GMT", at(9999, 12, 31, 23, 59, 59)},
		{"the epoch", "Thu, 01 Jan 1970 00:00:00 GMT", at(1970, 1, 1, 0, 0, 0)},
		{"wrong day of the week", "Thu Aug  8 02:01:18 2050", at(2050, 8, 8, 2, 1, 18)},
		{"case of the day", "SUN, 06 Nov 1994 08:49:37 GMT", sample},
		{"case of the month", "Sun, 06 nOV 1994 08:49:37 GMT", sample},
		{"case of the zone", "Sun, 06 Nov 1994 08:49:37 gMT", sample},
		{"leap day", "Thu, 29 Feb 2024 00:00:00 GMT", at(2024, 2, 29, 0, 0, 0)},
		{"leap second", "Sat, 31 Dec 2016 23:59:60 GMT", at(2016, 12, 31, 23, 59, 59)},
		{"two digits, in the past", "Thursday, 18-Aug-77 02:01:18 GMT", at(1977, 8, 18, 2, 1, 18)},
		{"two digits, within 50 years", "Thursday, 18-Aug-50 02:01:18 GMT", at(2050, 8, 18, 2, 1, 18)},
		{"two digits, 50 years to the day", "Sunday, 01-Mar-76 12:00:00 GMT", at(2076, 3, 1, 12, 0, 0)},
		{"two digits, one second more", "Sunday, 01-Mar-76 12:00:01 GMT", at(1976, 3, 1, 12, 0, 1)},

		{"empty", "", time.Time{}},
		{"zero", "0", time.Time{}},
		{"a number", "784111777", time.Time{}},
		{"zone UTC", "Sun, 06 Nov 1994 08:49:37 UTC", time.Time{}},
		{"other zone", "Sun, 06 Nov 1994 08:49:37 AEST", time.Time{}},
		{"numeric zone", "Sun, 06 Nov 1994 08:49:37 +0000", time.Time{}},
		{"no zone", "Sun, 06 Nov 1994 08:49:37", time.Time{}},
		{"two digits in the preferred form", "Sun, 06 Nov 94 08:49:37 GMT", time.Time{}},
		{"no comma", "Sun 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"no blank after the comma", "Sun,06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"two blanks", "Sun, 06  Nov  1994 08:49:37 GMT", time.Time{}},
		{"blank at the end", "Sun, 06 Nov 1994 08:49:37 GMT ", time.Time{}},
		{"dashes in the preferred form", "Sun, 06-Nov-1994 08:49:37 GMT", time.Time{}},
		{"periods in the time", "Sun, 06 Nov 1994 08.49.37 GMT", time.Time{}},
		{"hour of one digit", "Sun, 06 Nov 1994 8:49:37 GMT", time.Time{}},
		{"day of one digit", "Sun, 6 Nov 1994 08:49:37 GMT", time.Time{}},
		{"asctime day with a zero", "Sun Nov 06 08:49:37 1994", sample},
		{"no seconds", "Sun, 06 Nov 1994 08:49 GMT", time.Time{}},
		{"hour 24", "Sun, 06 Nov 1994 24:00:00 GMT", time.Time{}},
		{"minute 60", "Sun, 06 Nov 1994 08:60:00 GMT", time.Time{}},
		{"second 61", "Sun, 06 Nov 1994 08:49:61 GMT", time.Time{}},
		{"day 31 of a short month", "Sun, 31 Nov 1994 08:49:37 GMT", time.Time{}},
		{"day 0", "Sun, 00 Nov 1994 08:49:37 GMT", time.Time{}},
		{"no leap year", "Wed, 29 Feb 2023 00:00:00 GMT", time.Time{}},
		{"no day of the week", "Foo, 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"no month", "Sun, 06 Foo 1994 08:49:37 GMT", time.Time{}},
		{"two dates", "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"ISO 8601", "1994-11-06T08:49:37Z", time.Time{}},
		{"Kelvin sign is no K", "Sun, 06 No\u212a 1994 08:49:37 GMT", time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := ParseDate(c.value, epoch)
			if ok != !c.want.IsZero() || ok && !got.Equal(c.want) {
				t.Errorf("%q: got %v, %v; want %v", c.value, got, ok, c.want)
			}
		})
	}
}

// Whatever time is written in one of the three forms is read again.
func TestParseDateRoundTrip(t *testing.T) {
	const rfc850 = "Monday, 02-Jan-06 15:04:05 GMT"
	rapid.Check(t, func(t *rapid.T) {
		want := time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, "seconds"), 0).UTC()
		for _, form := range []string{http.TimeFormat, time.ANSIC} {
			if got, ok := ParseDate(want.Format(form), epoch); !ok || !got.Equal(want) {
				t.Errorf("%q read as %v, %v", want.Format(form), got, ok)
			}
		}
		near := epoch.Add(time.Duration(rapid.Int64Range(-49*365*86400, 49*365*86400).Draw(t, "offset")) * second)
		if got, ok := ParseDate(near.Format(rfc850), epoch); !ok || !got.Equal(near) {
			t.Errorf("%q read as %v, %v", near.Format(rfc850), got, ok)
		}
	})
}

func TestDateField(t *testing.T) {
	one, other := httpDate(0), httpDate(time.Hour)
	for _, c := range []struct {
		name           string
		lines          []string
		present, valid bool
	}{
		{"absent", nil, false, false},
		{"one", []string{one}, true, true},
		{"blanks around", []string{" " + one + "\t"}, true, true},
		{"the same twice", []string{one, one}, true, true},
		{"contradicting lines (RFC 9111 section 4.2.1)", []string{one, other}, true, false},
		{"unreadable", []string{"0"}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, present, valid := dateField(http.Header{"Expires": c.lines}, "Expires", epoch)
			if present != c.present || valid != c.valid {
				t.Errorf("present %v, valid %v", present, valid)
			}
		})
	}
}
