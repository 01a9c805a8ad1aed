package httpcache

import (
	"net/http"
	"testing"
	"time"
)

func BenchmarkEvaluate(b *testing.B) {
	browser := http.Header{
		"Accept":          {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Accept-Encoding": {"gzip, deflate, br, zstd"},
		"Accept-Language": {"de,en-US;q=0.7,en;q=0.3"},
		"User-Agent":      {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
	}
	reload := browser.Clone()
	reload.Set("Cache-Control", "max-age=0")
	for name, c := range map[string]struct {
		req  http.Header
		resp http.Header
	}{
		"hit by max-age":      {browser, fields("Date", httpDate(0), "Cache-Control", "public, max-age=31536000, immutable")},
		"hit by Expires":      {browser, fields("Date", httpDate(0), "Expires", httpDate(time.Hour))},
		"hit by heuristics":   {browser, fields("Date", httpDate(0), "Last-Modified", httpDate(-1000*time.Hour))},
		"reload":              {reload, fields("Date", httpDate(0), "Cache-Control", "max-age=3600")},
		"stale":               {browser, fields("Date", httpDate(0), "Cache-Control", "max-age=1, stale-while-revalidate=600")},
		"hit with many words": {browser, fields("Date", httpDate(0), "Cache-Control", `public, max-age=600, s-maxage=3600, must-revalidate, stale-if-error=86400, x-ext="a, b"`)},
	} {
		b.Run(name, func(b *testing.B) {
			ex := exchange(http.StatusOK, c.resp)
			req := &http.Request{Method: "GET", Header: c.req}
			now := epoch.Add(time.Minute)
			b.ReportAllocs()
			for b.Loop() {
				Evaluate(req, ex, now)
			}
		})
	}
}

func BenchmarkMatches(b *testing.B) {
	browser := fields("Accept-Encoding", "gzip, deflate, br, zstd", "Accept-Language", "de,en-US;q=0.7,en;q=0.3")
	for _, vary := range []string{"", "Accept-Encoding", "Accept-Encoding, Accept-Language, Origin"} {
		b.Run("Vary "+vary, func(b *testing.B) {
			ex := exchange(http.StatusOK, fields("Vary", vary))
			ex.Selecting, _ = Selecting(browser, ex.Header)
			b.ReportAllocs()
			for b.Loop() {
				if !Matches(browser, ex) {
					b.Fatal("no match")
				}
			}
		})
	}
}

func BenchmarkStorable(b *testing.B) {
	req := &http.Request{Method: "GET", Header: fields("Accept", "*/*")}
	header := fields("Cache-Control", "public, max-age=600", "Vary", "Accept-Encoding")
	b.ReportAllocs()
	for b.Loop() {
		Storable(req, http.StatusOK, header)
	}
}
