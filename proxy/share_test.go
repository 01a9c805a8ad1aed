package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/peerproxy/peerproxy/resource"
)

// Each clause of the rule of ARCHITECTURE.md, spoiled one at a time.
func TestShareDecision(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*ShareQuestion)
		want  bool
	}{
		"public":             {func(q *ShareQuestion) {}, true},
		"301":                {func(q *ShareQuestion) { q.Status = 301 }, true},
		"404":                {func(q *ShareQuestion) { q.Status = 404 }, true},
		"varies by language": {func(q *ShareQuestion) { q.Response.Set("Vary", "Accept-Language, Accept-Encoding") }, true},
		"HEAD":               {func(q *ShareQuestion) { q.Method = "HEAD" }, false},
		"302":                {func(q *ShareQuestion) { q.Status = 302 }, false},
		"500":                {func(q *ShareQuestion) { q.Status = 500 }, false},
		"206":                {func(q *ShareQuestion) { q.Status = 206 }, false},
		"private host":       {func(q *ShareQuestion) { q.PublicHost = false }, false},
		"authorization":      {func(q *ShareQuestion) { q.Request.Set("Authorization", "Basic eA==") }, false},
		"cookie":             {func(q *ShareQuestion) { q.Request.Set("Cookie", "a=b") }, false},
		"sets a cookie":      {func(q *ShareQuestion) { q.Response.Set("Set-Cookie", "a=b") }, false},
		"private":            {func(q *ShareQuestion) { q.Response.Set("Cache-Control", "max-age=1, Private") }, false},
		"private, fields":    {func(q *ShareQuestion) { q.Response.Set("Cache-Control", `private="x"`) }, false},
		"no-store":           {func(q *ShareQuestion) { q.Response["Cache-Control"] = []string{"max-age=1", "no-store"} }, false},
		"vary cookie":        {func(q *ShareQuestion) { q.Response["Vary"] = []string{"Accept", "x, COOKIE"} }, false},
		"vary authorization": {func(q *ShareQuestion) { q.Response.Set("Vary", "Authorization") }, false},
		"vary all":           {func(q *ShareQuestion) { q.Response.Set("Vary", "*") }, false},
		"no URL":             {func(q *ShareQuestion) { q.URL = resource.URL{} }, false},
	} {
		u, err := resource.ParseURL("http://example.com/page?id=7")
		if err != nil {
			t.Fatal(err)
		}
		q := ShareQuestion{Method: "GET", URL: u, Request: http.Header{}, Status: 200, Response: http.Header{"Cache-Control": {"max-age=9"}}, PublicHost: true}
		c.spoil(&q)
		if got, why := ShareDecision(q); got != c.want || why == "" {
			t.Errorf("%s: %v (%s)", name, got, why)
		}
	}
}

func TestSecretQueries(t *testing.T) {
	for query, secret := range map[string]bool{
		"":                                       false,
		"page=2&sort=asc":                        false,
		"q=how+to+grow+tomatoes+in+the+north":    false,
		"keyword=cats&monkey=1&keyboard=us":      false,
		"design=flat&author=kafka&passage=12":    false,
		"v=d41d8cd98f00b204e9800998ecf8427e":     false, // the hash of a public file
		"ver=6.4.2":                              false,
		"d41d8cd98f00b204":                       false,
		"date=2026-11-23T13:00:00Z":              false,
		"url=https://example.com/some/long/path": false,
		"token=x":                                true,
		"Access_Token=x":                         true,
		"key=abc":                                true,
		"api-key=abc":                            true,
		"apikey=abc":                             true,
		"X-Amz-Signature=00":                     true,
		"sig=1":                                  true,
		"PHPSESSID=1":                            true,
		"session_id=1":                           true,
		"a=1;auth=2":                             true,
		"user=ann":                               true,
		"pass%77ord=1":                           true,
		"password":                               true,
		"contact=ann@example.com":                true,
		"x=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.abc": true,
		"id=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA":          true,
		"id=9f86d081884c7d659a2feaa0c55ad015":        true,
		"k=550e8400-e29b-41d4-a716-446655440000":     true,
	} {
		u, err := resource.ParseURL("http://example.com/?" + query)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := shareableURL(u); ok == secret {
			t.Errorf("%q: shareable %v", query, ok)
		}
	}
}

// What looks for secrets must not be led astray by encoding, and never fails.
func FuzzShareableURL(f *testing.F) {
	for _, seed := range []string{"a=b", "token=1", "%74oken=1", "a=%", ";;&&==", "x=eyJ..", strings.Repeat("a", 3000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		u, err := resource.ParseURL("http://example.com/?" + query)
		if err != nil {
			return
		}
		shareableURL(u)
		with, err := resource.ParseURL(u.String() + "&%74oken=1")
		if err != nil {
			return
		}
		if ok, _ := shareableURL(with); ok {
			t.Errorf("%q: a token goes unnoticed", with)
		}
	})
}

func TestStoredButNotShareable(t *testing.T) {
	l := newLab(t, fixed("x", "max-age=60"), nil)
	l.get(site+"/cookie", "Cookie: a=b").want(t, 200, "x", "cache:stored")
	l.get(site+"/secret?token=1").want(t, 200, "x", "cache:stored")
	l.settle()
	all := l.store.all()
	if len(all) != 2 {
		t.Fatalf("stored %d", len(all))
	}
	for _, st := range all {
		if st.Shareable {
			t.Errorf("%s is shareable", st.Exchange.URL)
		}
	}
	// A hit without the cookie does not make it so.
	l.get(site+"/cookie").want(t, 200, "x", "cache:hit")
}
