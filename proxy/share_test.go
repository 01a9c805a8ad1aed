package proxy

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

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
		"vary referer":       {func(q *ShareQuestion) { q.Response.Set("Vary", "Accept, referer") }, false},
		"vary user agent":    {func(q *ShareQuestion) { q.Response.Set("Vary", "User-Agent") }, false},
		"vary origin":        {func(q *ShareQuestion) { q.Response.Set("Vary", "Origin") }, false},
		"vary own field":     {func(q *ShareQuestion) { q.Response.Set("Vary", "X-Api-Key") }, false},
		"vary, no name":      {func(q *ShareQuestion) { q.Response.Set("Vary", "Accept-Language X-Api-Key") }, false},
		"vary, empty":        {func(q *ShareQuestion) { q.Response.Set("Vary", ", accept-language,") }, true},
		"a browser": {func(q *ShareQuestion) {
			for _, name := range []string{
				"Accept", "Accept-Encoding", "Accept-Language", "User-Agent", "Referer", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Ch-Ua",
				"Sec-Ch-Ua-Mobile", "Sec-Gpc", "Dnt", "Upgrade-Insecure-Requests", "Priority", "Te", "Via", "If-None-Match", "Pragma", "Cache-Control",
			} {
				q.Request.Set(name, "x")
			}
		}, true},
		"own field":      {func(q *ShareQuestion) { q.Request.Set("X-Api-Key", "sk_1") }, false},
		"x-auth-token":   {func(q *ShareQuestion) { q.Request.Set("X-Auth-Token", "1") }, false},
		"behind a proxy": {func(q *ShareQuestion) { q.Request.Set("X-Forwarded-For", "192.0.2.1") }, false},
		"for all sites": {func(q *ShareQuestion) {
			q.Request.Set("Origin", "http://a.example")
			q.Response.Set("Access-Control-Allow-Origin", "*")
		}, true},
		"for the asking": {func(q *ShareQuestion) {
			q.Request.Set("Origin", "http://a.example")
			q.Response.Set("Access-Control-Allow-Origin", "http://a.example")
		}, false},
		"for another site": {func(q *ShareQuestion) { q.Response.Set("Access-Control-Allow-Origin", "http://a.example") }, true},
		"no URL":           {func(q *ShareQuestion) { q.URL = resource.URL{} }, false},
	} {
		q := goodQuestion(t)
		c.spoil(&q)
		if got, why := ShareDecision(q); got != c.want || why == "" {
			t.Errorf("%s: %v (%s)", name, got, why)
		}
	}
}

// goodQuestion is one of which every clause holds.
func goodQuestion(t *testing.T) ShareQuestion {
	t.Helper()
	u, err := resource.ParseURL("http://example.com/page?id=7")
	if err != nil {
		t.Fatal(err)
	}
	return ShareQuestion{Method: "GET", URL: u, Request: http.Header{}, Status: 200, Response: http.Header{"Cache-Control": {"max-age=9"}}, PublicHost: true}
}

// Each clause of docs/sharing.md can fail while all others hold, and then decides.
func TestShareClauses(t *testing.T) {
	parse := func(raw string) resource.URL {
		u, err := resource.ParseURL(raw)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	spoilt := map[string]func(*ShareQuestion){
		"method":           func(q *ShareQuestion) { q.Method = "POST" },
		"status":           func(q *ShareQuestion) { q.Status = 403 },
		"public-host":      func(q *ShareQuestion) { q.PublicHost = false },
		"private-site":     func(q *ShareQuestion) { q.PrivateSite = true },
		"user-information": func(q *ShareQuestion) { q.URL = resource.URL{} },
		"query":            func(q *ShareQuestion) { q.URL = parse("http://example.com/?token=1") },
		"path":             func(q *ShareQuestion) { q.URL = parse("http://example.com/d/550e8400-e29b-41d4-a716-446655440000") },
		"cookie":           func(q *ShareQuestion) { q.Request.Set("Cookie", "a=b") },
		"authorization":    func(q *ShareQuestion) { q.Request.Set("Authorization", "Bearer x") },
		"other-fields":     func(q *ShareQuestion) { q.Request.Set("X-Api-Key", "1") },
		"asking-site": func(q *ShareQuestion) {
			q.Request.Set("Origin", "http://a.example")
			q.Response.Set("Access-Control-Allow-Origin", "http://a.example")
		},
		"set-cookie":    func(q *ShareQuestion) { q.Response.Set("Set-Cookie", "a=b") },
		"cache-control": func(q *ShareQuestion) { q.Response.Set("Cache-Control", "private") },
		"vary":          func(q *ShareQuestion) { q.Response.Set("Vary", "Cookie") },
		"whole":         func(q *ShareQuestion) { q.EndUncertain = true },
	}
	good := ShareClauses(goodQuestion(t))
	if len(good) != len(spoilt) {
		t.Errorf("%d clauses, %d of them have a test", len(good), len(spoilt))
	}
	for i, clause := range good {
		spoil := spoilt[clause.Name]
		if !clause.OK || clause.Why == "" || spoil == nil {
			t.Errorf("clause %+v of a public page; spoilt %v", clause, spoil != nil)
			continue
		}
		q := goodQuestion(t)
		spoil(&q)
		got := ShareClauses(q)
		for j, c := range got {
			if c.OK != (j != i) {
				t.Errorf("%s spoilt: clause %s is %v", clause.Name, c.Name, c.OK)
			}
		}
		if ok, why := ShareDecision(q); ok || why != got[i].Why || why == clause.Why {
			t.Errorf("%s spoilt: decision %v because %q", clause.Name, ok, why)
		}
	}
}

// A site on the user's list is neither shared nor asked of peers.
func TestPrivateSites(t *testing.T) {
	asked := 0
	l := newLab(t, fixed("x", "max-age=60"), func(c *Config) {
		c.Sites = SitePolicies{"example.com": {Site: "example.com", Private: true}}
		c.Peers = fakePeers(func(context.Context, resource.Query) (*resource.Copy, error) {
			asked++
			return copyOf(site+"/other", "from a peer", nil, time.Now()), nil
		})
	})
	l.get(site+"/page").want(t, 200, "x", "cache:stored")
	l.settle()
	for _, st := range l.store.all() {
		if st.Shareable {
			t.Errorf("%s is shareable", st.Exchange.URL)
		}
	}
	l.origin.Close()
	if a := l.get(site + "/other"); a.StatusCode < 500 || asked > 0 {
		t.Errorf("status %d, peers were asked %d times", a.StatusCode, asked)
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

func TestSecretPaths(t *testing.T) {
	const hash = "4f9d0c2b7a1e4c558a2bd0c1e2f3a4b5"
	for path, secret := range map[string]bool{
		"/": false,
		"/2024/05/12/ten-tips-for-growing-tomatoes-in-2024":                       false,
		"/wiki/Rindfleischetikettierungsueberwachungsaufgabenuebertragungsgesetz": false,
		"/wiki/%D0%9C%D0%BE%D1%81%D0%BA%D0%B2%D0%B0_2024_Moskau_Hauptstadt":       false,
		"/api/java/util/concurrent/CopyOnWriteArrayList.html":                     false,
		"/p/how-we-built-it-in-10-days-3f2a9c81bd0e":                              false, // a short number behind a title
		"/watch/dQw4w9WgXcQ":                          false,
		"/npm/@scope/package@13.12.0-beta2/dist":      false,
		"/shop;lang=en;page=2/list":                   false,
		"/app." + hash + ".js":                        false,
		"/_next/static/chunks/7d2f-" + hash + "aa.js": false,
		"/img/Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA.PNG":     false,
		"/static/" + hash + "/logo":                   false,
		"/assets/v2/" + hash:                          false,
		"/fonts/KFOmCnqEu92Fr1Mu72xKKTU1Kvnz.woff2":   false,
		"/user/repo/commit/" + hash + "01234567":      false,
		"/dl/tool-1.2.3-linux-amd64-" + hash + ".zip": false,

		"/a;jsessionid=0123456789ABCDEF":                  true,
		"/a;v=1;%74oken=x/b.js":                           true,
		"/a;Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA/":              true,
		"/reset/" + hash:                                  true,
		"/s/Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA/photo.jpg":     true,
		"/share/AbC9-dE8fG7hI_6jK5lM4nO-pQ3r":             true, // base64url with its own separators
		"/d/550e8400-e29b-41d4-a716-446655440000":         true,
		"/u/%5a%6d9vYmFyYmF6cXV4MTIzNDU2Nzg5MA":           true,
		"/v/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln":    true,
		"/bills/" + hash + ".pdf":                         true,
		"/static/Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA/index":    true,
		"/(S(lit3py55t21z5v55vlm25s55))/orders/list.aspx": true,
	} {
		u, err := resource.ParseURL("http://example.com" + path)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := shareableURL(u); ok == secret {
			t.Errorf("%s: shareable %v", path, ok)
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

// What a user's client sent about itself never becomes part of what peers get.
func TestVaryLeaksNothing(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Vary", "Accept-Language, Referer, User-Agent")
	}, nil)
	l.get(site+"/x", "Referer: http://intranet.example/tickets/4711").want(t, 200, "", "cache:stored")
	l.settle()
	for _, st := range l.store.all() {
		if st.Shareable {
			t.Errorf("shareable with %v", st.Exchange.Selecting)
		}
	}
}

// An answer to a request with a field of its own may be the answer for one user.
func TestOwnFieldIsPrivate(t *testing.T) {
	l := newLab(t, fixed("x", "max-age=60"), nil)
	l.get(site+"/me", "X-Api-Key: sk_live_1").want(t, 200, "x", "cache:stored")
	l.get(site+"/all").want(t, 200, "x", "cache:stored")
	l.settle()
	for _, st := range l.store.all() {
		if want := st.Exchange.URL.RequestURI() == "/all"; st.Shareable != want {
			t.Errorf("%s: shareable %v", st.Exchange.URL, st.Shareable)
		}
	}
}
