package conformance

// Dates is about Expires and the forms of a date (RFC 9111 sections 4.2 and 5.3, RFC 9110 section 5.6.7).
func Dates() []Story {
	expires := func(value string) Reply { return ok("first", "Expires", value) }
	from := func(date, expires string) Reply {
		return Reply{200, fields("Date", date, "Expires", expires), "first"}
	}
	return []Story{
		reuse("Expires", "9111 5.3", Cached, expires(Date(hour))),
		reuse("Expires without Date", "9111 5.3", Cached, status(200, "Expires", Date(hour))),
		reuse("Expires past", "9111 5.3", Forwarded, expires(Date(-hour))),
		reuse("Expires now", "9111 5.3", Forwarded, expires(Date(0))),
		reuse("Expires in two seconds", "9111 5.3", Forwarded, expires(Date(2*second))),
		reuse("Expires counts from Date", "9111 4.2.1", Forwarded, from(Date(hour), Date(hour+2*second))),
		reuse("Expires counts from Date, which is past", "9111 4.2.1", Cached, from(Date(-hour), Date(minute))),
		reuse("Expires counts from receipt if Date can't be read", "9110 6.6.1", Cached, from("yesterday", Date(minute))),
		reuse("Expires counts from receipt if Date contradicts itself", "9110 6.6.1", Forwarded,
			Reply{200, fields("Date", Date(-hour), "Date", Date(0), "Expires", Date(second)), "first"}),
		reuse("Expires 0", "9111 5.3", Forwarded, expires("0")),
		reuse("Expires -1", "9111 5.3", Forwarded, expires("-1")),
		reuse("Expires empty", "9111 5.3", Forwarded, expires("")),
		reuse("Expires twice, alike", "9110 5.3", Cached, ok("first", "Expires", Date(hour), "Expires", Date(hour))),
		reuse("Expires twice, not alike", "9111 4.2.1", Forwarded, ok("first", "Expires", Date(hour), "Expires", Date(2*hour))),

		reuse("the form of RFC 850", "9110 5.6.7", Cached, expires("Friday, 31-Dec-50 02:01:18 GMT")),
		reuse("the form of RFC 850, more than 50 years ahead", "9110 5.6.7", Forwarded, expires("Thursday, 18-Aug-77 02:01:18 GMT")),
		reuse("the form of RFC 850 with a short day", "9110 5.6.7", Forwarded, expires("Fri, 31-Dec-50 02:01:18 GMT")),
		reuse("the form of RFC 850 with a long year", "9110 5.6.7", Forwarded, expires("Friday, 31-Dec-2050 02:01:18 GMT")),
		reuse("the form of C", "9110 5.6.7", Cached, expires("Thu Aug 18 02:01:18 2050")),
		reuse("the form of C with a day of one digit", "9110 5.6.7", Cached, expires("Mon Aug  8 02:01:18 2050")),
		reuse("the form of C with a zone", "9110 5.6.7", Forwarded, expires("Thu Aug 18 02:01:18 2050 GMT")),
		reuse("a form of ISO 8601", "9110 5.6.7", Forwarded, expires("2050-08-18T02:01:18Z")),
		reuse("seconds since 1970", "9110 5.6.7", Forwarded, expires("2544400878")),
		reuse("Date in another form than Expires", "9110 5.6.7", Forwarded, from("Sunday, 01-Mar-26 12:00:00 GMT", Date(2*second))),

		reuse("day in upper case", "9111 4.2", Cached, expires("THU, 18 Aug 2050 02:01:18 GMT")),
		reuse("month in upper case", "9111 4.2", Cached, expires("Thu, 18 AUG 2050 02:01:18 GMT")),
		reuse("zone in odd case", "9111 4.2", Cached, expires("Thu, 18 Aug 2050 02:01:18 gMT")),
		reuse("another day of the week", "9110 5.6.7", Cached, expires("Mon, 18 Aug 2050 02:01:18 GMT")),
		reuse("no day of the week", "9110 5.6.7", Forwarded, expires("18 Aug 2050 02:01:18 GMT")),
		reuse("a leap second", "9111 4.2", Cached, expires("Thu, 18 Aug 2050 02:01:60 GMT")),
		reuse("second 61", "9110 5.6.7", Forwarded, expires("Thu, 18 Aug 2050 02:01:61 GMT")),
		reuse("hour 24", "9110 5.6.7", Forwarded, expires("Thu, 18 Aug 2050 24:00:00 GMT")),
		reuse("30 February", "9110 5.6.7", Forwarded, expires("Wed, 30 Feb 2050 02:01:18 GMT")),
		reuse("another zone", "9111 4.2", Forwarded, expires("Thu, 18 Aug 2050 02:01:18 AEST")),
		reuse("zone as a number", "9111 4.2", Forwarded, expires("Thu, 18 Aug 2050 02:01:18 +0000")),
		reuse("UTC by name", "9110 5.6.7", Forwarded, expires("Thu, 18 Aug 2050 02:01:18 UTC")),
		reuse("no zone", "9110 5.6.7", Forwarded, expires("Thu, 18 Aug 2050 02:01:18")),
		reuse("two digits of the year", "9110 5.6.7", Forwarded, expires("Thu, 18 Aug 50 02:01:18 GMT")),
		reuse("without comma", "9110 5.6.7", Forwarded, expires("Thu 18 Aug 2050 02:01:18 GMT")),
		reuse("with many blanks", "9110 5.6.7", Forwarded, expires("Thu, 18  Aug  2050 02:01:18 GMT")),
		reuse("with dashes", "9110 5.6.7", Forwarded, expires("Thu, 18-Aug-2050 02:01:18 GMT")),
		reuse("with periods", "9110 5.6.7", Forwarded, expires("Thu, 18 Aug 2050 02.01.18 GMT")),
		reuse("with one digit of the hour", "9110 5.6.7", Forwarded, expires("Thu, 18 Aug 2050 2:01:18 GMT")),
		reuse("with something behind", "9110 5.6.7", Forwarded, expires("Thu, 18 Aug 2050 02:01:18 GMT; x")),
		reuse("in quotes", "9110 5.6.7", Forwarded, expires(`"Thu, 18 Aug 2050 02:01:18 GMT"`)),
	}
}
