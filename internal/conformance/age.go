package conformance

import "time"

// Age is about how old a response is (RFC 9111 sections 4.2.3 and 5.1).
func Age() []Story {
	aged := func(values ...string) Reply {
		r := ok("first", "Cache-Control", "max-age=3600")
		r.Header["Age"] = values
		return r
	}
	dated := func(date time.Duration, directives string, more ...string) Reply {
		return Reply{200, fields(append([]string{"Date", Date(date), "Cache-Control", directives}, more...)...), "first"}
	}
	return []Story{
		reuse("older than Expires by Age", "9111 4.2.3", Forwarded, ok("first", "Expires", Date(hour), "Age", "7200")),
		reuse("older than max-age by Age", "9111 4.2.3", Forwarded, aged("7200")),
		reuse("older than max-age by Date", "9111 4.2.3", Forwarded, dated(-2*hour, "max-age=3600")),
		reuse("Age and the time since count together", "9111 4.2.3", Forwarded, ok("first", "Cache-Control", "max-age=103", "Age", "100")),
		reuse("Age and the time since, within max-age", "9111 4.2.3", Cached, ok("first", "Cache-Control", "max-age=104", "Age", "100")),
		reuse("of Age and Date the older counts, Date", "9111 4.2.3", Forwarded, dated(-2*hour, "max-age=3600", "Age", "0")),
		reuse("of Age and Date the older counts, Age", "9111 4.2.3", Forwarded, dated(-minute, "max-age=3600", "Age", "7200")),
		reuse("of Age and Date not the sum counts", "9111 4.2.3", Cached, dated(-40*minute, "max-age=3600", "Age", "2400")),
		reuse("a future Date makes nobody younger", "9111 4.2.3", Forwarded, dated(hour, "max-age=3")),
		reuse("a Date that can't be read", "9111 4.2.3", Cached, Reply{200, fields("Date", "yesterday", "Cache-Control", "max-age=3600"), "first"}),

		reuse("Age of a first value", "9111 5.1", Forwarded, aged("7200, 0")),
		reuse("Age of a first line", "9111 5.1", Cached, aged("0", "7200")),
		reuse("Age that is no number", "9111 5.1", Cached, aged("7200.0")),
		reuse("Age that is negative", "9111 5.1", Cached, aged("-7200")),
		reuse("Age with a plus", "9111 5.1", Cached, aged("+7200")),
		reuse("Age in quotes", "9111 5.1", Cached, aged(`"7200"`)),
		reuse("Age empty", "9111 5.1", Cached, aged("")),
		reuse("Age beyond", "9111 1.2.2", Forwarded, aged("99999999999999999999")),
		reuse("Age and max-age beyond", "9111 1.2.2", Forwarded, ok("first", "Cache-Control", "max-age=99999999999", "Age", "99999999999")),

		then("Age is said, Date and Expires are left", "9111 5.1", ok("first", "Expires", Date(hour), "Age", "30"),
			Step{After: 3 * second, How: Cached, Want: map[string]string{"Age": "33", "Date": Date(0), "Expires": Date(hour)}}),
		then("Age is said of what gave none", "9111 4", ok("first", "Cache-Control", "max-age=3600"),
			Step{After: 90 * second, How: Cached, Want: map[string]string{"Age": "90"}}),
		then("Age is said once", "9111 5.1", aged("30", "40"),
			Step{After: second, How: Cached, Want: map[string]string{"Age": "31"}}),
		then("Age follows from Date", "9111 4.2.3", dated(-minute, "max-age=3600"),
			Step{After: second, How: Cached, Want: map[string]string{"Age": "61"}}),
		then("Age begins anew with a 304", "9111 4.3.4", ok("first", "Cache-Control", "max-age=60", "Etag", tag, "Age", "30"),
			Step{After: minute, How: Validated, WantBody: "first", Reply: status(304, "Date", Date(minute), "Etag", tag)}).
			and(Step{After: 10 * second, How: Cached, Want: map[string]string{"Age": "10"}}),
		then("Age begins with that of the 304", "9111 4.2.3", ok("first", "Cache-Control", "max-age=60", "Etag", tag),
			Step{After: minute, How: Validated, WantBody: "first", Reply: status(304, "Date", Date(minute), "Etag", tag, "Age", "20")}).
			and(Step{After: 10 * second, How: Cached, Want: map[string]string{"Age": "30"}},
				Step{After: 30 * second, How: Validated, Reply: status(304, "Etag", tag)}),
	}
}

// Heuristics is about responses that do not say how long they are fresh (RFC 9111 section 4.2.2): a tenth
// of the time since they were modified, a day at most.
func Heuristics() []Story {
	modified := func(value string, more ...string) Reply {
		return ok("first", append([]string{"Last-Modified", value}, more...)...)
	}
	const section = "9111 4.2.2"
	ten := Date(-10 * hour)
	return []Story{
		later("a tenth", section, 59*minute, Cached, modified(ten)),
		later("more than a tenth", section, 61*minute, Forwarded, modified(ten)),
		later("less than a day", section, 23*hour, Cached, modified(Date(-10000*hour))),
		later("more than a day", section, 25*hour, Forwarded, modified(Date(-10000*hour))),
		later("a date before 1970", section, 23*hour, Cached, modified("Thu, 18 Aug 1960 02:01:18 GMT")),
		later("counted from Date", section, minute, Forwarded, Reply{200, fields("Date", Date(-9*hour), "Last-Modified", ten), "first"}),
		later("counted from receipt without Date", section, 59*minute, Cached, status(200, "Last-Modified", ten)),
		reuse("modified in the future", section, Forwarded, modified(Date(hour))),
		reuse("modified now", section, Forwarded, modified(Date(0))),
		reuse("a date that can't be read", section, Forwarded, modified("long ago")),
		reuse("two dates that are not alike", section, Forwarded, ok("first", "Last-Modified", ten, "Last-Modified", Date(-20*hour))),
		reuse("not beside max-age", section, Forwarded, modified(ten, "Cache-Control", "max-age=1")),
		reuse("not beside a bad max-age", section, Forwarded, modified(ten, "Cache-Control", "max-age=x")),
		reuse("not beside Expires", section, Forwarded, modified(ten, "Expires", Date(second))),
		reuse("not beside a bad Expires", section, Forwarded, modified(ten, "Expires", "0")),
		reuse("not beside no-cache", "9111 5.2.2.4", Forwarded, modified(ten, "Cache-Control", "no-cache")),
		reuse("beside another directive", section, Cached, modified(ten, "Cache-Control", "no-transform")),
		reuse("not with a cookie", "9111 7.3", Forwarded, modified(ten, "Set-Cookie", "a=b")),
		story("of a URL with a query", section,
			Step{Path: "page?a=1", How: Forwarded, Reply: modified(ten)},
			Step{Path: "page?a=1", After: 59 * minute, How: Cached, WantBody: "first"}),
	}
}
