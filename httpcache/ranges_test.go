package httpcache

import (
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRange(t *testing.T) {
	const hour = time.Hour
	modified := fields("ETag", `"a"`, "Last-Modified", httpDate(-hour), "Date", httpDate(0))
	type result struct {
		offset, length int64
		status         RangeStatus
	}
	whole := func(size int64) result { return result{0, size, RangeWhole} }
	unsatisfiable := result{0, 0, RangeUnsatisfiable}
	part := func(offset, length int64) result { return result{offset, length, RangePartial} }
	bytes := func(set string, more ...string) http.Header {
		return fields(append([]string{"Range", "bytes=" + set}, more...)...)
	}
	for _, c := range []struct {
		name, section string
		req           http.Header
		status        int
		size          int64
		want          result
	}{
		{"no Range", "14.2", fields(), 200, 1000, whole(1000)},
		{"first bytes", "14.1.2", bytes("0-499"), 200, 1000, part(0, 500)},
		{"one byte", "14.1.2", bytes("0-0"), 200, 1000, part(0, 1)},
		{"middle", "14.1.2", bytes("500-998"), 200, 1000, part(500, 499)},
		{"to the last", "14.1.2", bytes("500-999"), 200, 1000, part(500, 500)},
		{"beyond the last", "14.1.2", bytes("500-5000"), 200, 1000, part(500, 500)},
		{"open end", "14.1.2", bytes("999-"), 200, 1000, part(999, 1)},
		{"all of it", "14.1.2", bytes("0-"), 200, 1000, part(0, 1000)},
		{"suffix", "14.1.2", bytes("-1"), 200, 1000, part(999, 1)},
		{"suffix longer than the body", "14.1.2", bytes("-5000"), 200, 1000, part(0, 1000)},
		{"unit in upper case", "14.1", fields("Range", "BYTES=0-1"), 200, 1000, part(0, 2)},
		{"blanks around", "14.1.2", fields("Range", " bytes= 0-1 "), 200, 1000, part(0, 2)},
		{"leading zeros", "14.1.2", bytes("000-001"), 200, 1000, part(0, 2)},
		{"last beyond 64 bits", "14.1.2", bytes("1-99999999999999999999"), 200, 1000, part(1, 999)},
		{"suffix beyond 64 bits", "14.1.2", bytes("-99999999999999999999"), 200, 1000, part(0, 1000)},

		{"begins at the end", "15.5.17", bytes("1000-"), 200, 1000, unsatisfiable},
		{"begins beyond 64 bits", "15.5.17", bytes("99999999999999999999-"), 200, 1000, unsatisfiable},
		{"both beyond 64 bits", "15.5.17", bytes("9223372036854775807-9223372036854775807"), 200, 1000, unsatisfiable},
		{"empty suffix", "14.1.2", bytes("-0"), 200, 1000, unsatisfiable},
		{"of an empty body", "14.1.2", bytes("0-"), 200, 0, unsatisfiable},
		{"suffix of an empty body", "14.1.2", bytes("-5"), 200, 0, whole(0)},

		{"last before first", "14.1.1", bytes("5-4"), 200, 1000, whole(1000)},
		{"several ranges, close together", "14.2", bytes("0-1,3-4"), 200, 1000, part(0, 5)}, // section 15.3.7.2: the gap is shorter than what it would cost
		{"several lines", "5.3", http.Header{"Range": {"bytes=0-1", "bytes=3-4"}}, 200, 1000, whole(1000)},
		{"other unit", "14.2", fields("Range", "lines=0-1"), 200, 1000, whole(1000)},
		{"no unit", "14.2", fields("Range", "0-1"), 200, 1000, whole(1000)},
		{"blank before =", "14.1.1", fields("Range", "bytes =0-1"), 200, 1000, whole(1000)},
		{"only a dash", "14.1.1", bytes("-"), 200, 1000, whole(1000)},
		{"nothing", "14.1.1", bytes(""), 200, 1000, whole(1000)},
		{"no dash", "14.1.1", bytes("5"), 200, 1000, whole(1000)},
		{"letters", "14.1.1", bytes("a-b"), 200, 1000, whole(1000)},
		{"sign", "14.1.1", bytes("+1-2"), 200, 1000, whole(1000)},
		{"two dashes", "14.1.1", bytes("1--2"), 200, 1000, whole(1000)},
		{"blank inside", "14.1.1", bytes("1 -2"), 200, 1000, whole(1000)},
		{"stored 404", "14.2", bytes("0-1"), 404, 1000, whole(1000)},
		{"stored 203", "14.2", bytes("0-1"), 203, 1000, whole(1000)},

		{"If-Range, same tag", "13.1.5", bytes("0-1", "If-Range", `"a"`), 200, 1000, part(0, 2)},
		{"If-Range, other tag", "13.1.5", bytes("0-1", "If-Range", `"b"`), 200, 1000, whole(1000)},
		{"If-Range, weak tag", "13.1.5", bytes("0-1", "If-Range", `W/"a"`), 200, 1000, whole(1000)},
		{"If-Range, several tags", "13.1.5", bytes("0-1", "If-Range", `"a", "b"`), 200, 1000, whole(1000)},
		{"If-Range, same date", "13.1.5", bytes("0-1", "If-Range", httpDate(-hour)), 200, 1000, part(0, 2)},
		{"If-Range, later date", "13.1.5", bytes("0-1", "If-Range", httpDate(0)), 200, 1000, whole(1000)},
		{"If-Range, earlier date", "13.1.5", bytes("0-1", "If-Range", httpDate(-2*hour)), 200, 1000, whole(1000)},
		{"If-Range, junk", "13.1.5", bytes("0-1", "If-Range", "a"), 200, 1000, whole(1000)},
		{"If-Range before an unsatisfiable range", "13.1.5", bytes("1000-", "If-Range", `"b"`), 200, 1000, whole(1000)},
		{"If-Range alone", "13.1.5", fields("If-Range", `"b"`), 200, 1000, whole(1000)},
	} {
		t.Run("RFC 9110 "+c.section+" "+c.name, func(t *testing.T) {
			ex := exchange(c.status, modified)
			ex.Body.Length = c.size
			chosen := ChooseRanges(c.req, ex)
			got := result{status: chosen.Status}
			if len(chosen.Spans) == 1 {
				got.offset, got.length = chosen.Spans[0].Offset, chosen.Spans[0].Length
			}
			if got != c.want || len(chosen.Spans) > 1 {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// RFC 9110 sections 13.1.5 and 8.8.2.2: only a strong validator allows to join parts.
func TestIfRangeWeakValidators(t *testing.T) {
	for name, stored := range map[string]http.Header{
		"weak tag stored":                fields("ETag", `W/"a"`),
		"no tag stored":                  fields(),
		"modified in the second of Date": fields("Last-Modified", httpDate(-time.Hour), "Date", httpDate(-time.Hour)),
		"no Date":                        fields("Last-Modified", httpDate(-time.Hour)),
	} {
		for _, condition := range []string{`"a"`, `W/"a"`, httpDate(-time.Hour)} {
			req := fields("Range", "bytes=0-1", "If-Range", condition)
			if status := ChooseRanges(req, exchange(200, stored)).Status; status != RangeWhole {
				t.Errorf("%s: If-Range %s holds", name, condition)
			}
		}
	}
}

// Whatever the request says, a part lies inside of the body.
func TestRangeWithinBody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ex := exchange(200, fields())
		ex.Body.Length = rapid.Int64Range(0, 1<<62).Draw(t, "size")
		number := rapid.StringMatching(`[0-9]{0,20}`)
		req := fields("Range", "bytes="+number.Draw(t, "first")+"-"+number.Draw(t, "last"))
		checkRange(t, req, ex.Body.Length)
	})
}
