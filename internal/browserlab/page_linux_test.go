package browserlab_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tab is one of Chromium's.
type tab struct {
	b       *chromium
	t       *testing.T
	session string
	frame   string // the main one

	from   int    // mark before the present page
	loader string // of it
}

type object = map[string]any

// tab opens one.
func (b *chromium) tab() *tab {
	b.t.Helper()
	var target struct{ TargetID, SessionID string }
	p := &tab{b: b, t: b.t}
	p.call("Target.createTarget", object{"url": "about:blank"}, &target)
	p.call("Target.attachToTarget", object{"targetId": target.TargetID, "flatten": true}, &target)
	p.session, p.frame = target.SessionID, target.TargetID
	for _, domain := range []string{"Page", "Runtime", "Network", "DOM"} {
		p.call(domain+".enable", nil, nil)
	}
	p.call("Page.setLifecycleEventsEnabled", object{"enabled": true}, nil)
	return p
}

func (p *tab) call(method string, params, result any) {
	p.t.Helper()
	if err := p.try(method, params, result); err != nil {
		p.t.Fatal(err)
	}
}

func (p *tab) try(method string, params, result any) error {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	return p.b.call(ctx, p.session, method, params, result)
}

// shown is what came of a navigation of the main frame.
type shown struct {
	status   int
	protocol string
	issuer   string // of the certificate
	header   map[string]string
}

func (s shown) get(name string) string {
	for n, value := range s.header {
		if strings.EqualFold(n, name) {
			return value
		}
	}
	return ""
}

// open goes to a page, and waits until it and its parts are there.
func (p *tab) open(url string) shown {
	p.t.Helper()
	s, err := p.visit(url)
	if err != nil {
		p.t.Fatalf("%s: %v", url, err)
	}
	return s
}

// visit is open for pages that the browser may refuse.
func (p *tab) visit(url string) (shown, error) {
	p.t.Helper()
	from := p.b.mark()
	var nav struct{ LoaderID, ErrorText string }
	p.call("Page.navigate", object{"url": url}, &nav)
	if nav.ErrorText != "" {
		return shown{}, fmt.Errorf("%s", nav.ErrorText)
	}
	return p.loaded(from, nav.LoaderID), nil
}

// loaded waits for a document and its parts to be there; "" is any that begins after the mark.
func (p *tab) loaded(from int, loader string) shown {
	p.t.Helper()
	p.from, p.loader = from, loader
	p.reach("init")
	p.reach("load")
	return p.document(from, p.loader)
}

// reach waits for a stage in the life of the present page. At "networkIdle" nothing has been fetched for half a second.
func (p *tab) reach(stage string) {
	p.t.Helper()
	type lifecycle struct{ FrameID, LoaderID, Name string }
	e := p.await(p.from, stage+" of a page", func(e event) bool {
		var l lifecycle
		return e.Method == "Page.lifecycleEvent" && json.Unmarshal(e.Params, &l) == nil &&
			l.FrameID == p.frame && l.Name == stage && (p.loader == "" || l.LoaderID == p.loader)
	})
	var l lifecycle
	_ = json.Unmarshal(e.Params, &l)
	p.loader = l.LoaderID
}

// document is what was answered when a document was asked for.
func (p *tab) document(from int, loader string) shown {
	p.t.Helper()
	e := p.await(from, "the document's response", func(e event) bool {
		var r struct{ Type, LoaderID string }
		return e.Method == "Network.responseReceived" && json.Unmarshal(e.Params, &r) == nil && r.Type == "Document" && r.LoaderID == loader
	})
	var r struct {
		Response struct {
			Status          int
			Protocol        string
			Headers         map[string]string
			SecurityDetails struct{ Issuer string }
		}
	}
	if err := json.Unmarshal(e.Params, &r); err != nil {
		p.t.Fatal(err)
	}
	return shown{r.Response.Status, r.Response.Protocol, r.Response.SecurityDetails.Issuer, r.Response.Headers}
}

func (p *tab) await(from int, what string, wanted func(event) bool) event {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	e, err := p.b.wait(ctx, from, func(e event) bool { return e.Session == p.session && wanted(e) })
	if err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
	return e
}

// eval runs an expression in the page, and waits for it if it is a promise. What it throws is an error.
func (p *tab) eval(expression string, result any) error {
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description, ClassName string }
		}
	}
	err := p.try("Runtime.evaluate", object{"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	if err != nil {
		return err
	}
	if x := r.ExceptionDetails; x != nil {
		return fmt.Errorf("%s %s", x.Text, x.Exception.Description)
	}
	if result == nil || r.Result.Value == nil {
		return nil
	}
	return json.Unmarshal(r.Result.Value, result)
}

// text is what an expression gives, as a text.
func (p *tab) text(expression string) string {
	p.t.Helper()
	var s string
	if err := p.eval("(async () => String(await ("+expression+")))()", &s); err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return s
}

// want compares what expressions give.
func (p *tab) want(what map[string]string) {
	p.t.Helper()
	for expression, want := range what {
		if got := p.text(expression); got != want {
			p.t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
}

// throws wants expressions to end in an exception of a kind.
func (p *tab) throws(kind string, expressions ...string) {
	p.t.Helper()
	for _, expression := range expressions {
		if err := p.eval(expression, nil); err == nil || !strings.Contains(err.Error(), kind) {
			p.t.Errorf("%s: %v, want %s", expression, err, kind)
		}
	}
}

// box is a rectangle in the window.
type box struct{ X, Y, Width, Height float64 }

// clickOn clicks into the middle of the first element that a selector finds.
func (p *tab) clickOn(selector string) {
	p.t.Helper()
	var b box
	err := p.eval(fmt.Sprintf(`(e => { e.scrollIntoView({block: "center"}); return e.getBoundingClientRect().toJSON() })(document.querySelector(%q))`, selector), &b)
	if err != nil {
		p.t.Fatalf("%s: %v", selector, err)
	}
	p.clickAt(b.X+b.Width/2, b.Y+b.Height/2)
}

func (p *tab) clickAt(x, y float64) {
	p.t.Helper()
	for _, what := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		p.call("Input.dispatchMouseEvent", object{"type": what, "x": x, "y": y, "button": "left", "clickCount": 1}, nil)
	}
}

// look sets what the user's screen is like.
func (p *tab) look(width, height int, scheme string) {
	p.t.Helper()
	p.call("Emulation.setDeviceMetricsOverride", object{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	p.call("Emulation.setEmulatedMedia", object{"features": []object{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// shots takes pictures of a page if they are wanted: wide and narrow, light and dark.
func (p *tab) shots(name string) {
	p.t.Helper()
	dir := os.Getenv("BROWSERLAB_SHOTS")
	if dir == "" {
		return
	}
	for _, width := range []int{1000, 360} {
		for _, scheme := range []string{"light", "dark"} {
			p.look(width, 700, scheme)
			p.shot(filepath.Join(dir, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)))
		}
	}
	p.look(1000, 700, "light")
}

func (p *tab) shot(file string) {
	p.t.Helper()
	var picture struct{ Data string }
	p.call("Page.captureScreenshot", object{"format": "png"}, &picture)
	data, err := base64.StdEncoding.DecodeString(picture.Data)
	if err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// frames are those within the page.
func (p *tab) frames() (ids []string) {
	p.t.Helper()
	type tree struct {
		Frame       struct{ ID string }
		ChildFrames []json.RawMessage
	}
	var r struct{ FrameTree json.RawMessage }
	p.call("Page.getFrameTree", nil, &r)
	var walk func(json.RawMessage)
	walk = func(text json.RawMessage) {
		var n tree
		if err := json.Unmarshal(text, &n); err != nil {
			p.t.Fatal(err)
		}
		for _, child := range n.ChildFrames {
			walk(child)
		}
		if n.Frame.ID != p.frame {
			ids = append(ids, n.Frame.ID)
		}
	}
	walk(r.FrameTree)
	return ids
}

// inFrame is what an expression gives in a frame, seen from a world of scripts of our own.
func (p *tab) inFrame(frame, expression string) string {
	p.t.Helper()
	var own struct{ ExecutionContextID int }
	p.call("Page.createIsolatedWorld", object{"frameId": frame}, &own)
	var r struct{ Result struct{ Value string } }
	p.call("Runtime.evaluate", object{"expression": "String(" + expression + ")", "contextId": own.ExecutionContextID, "returnByValue": true}, &r)
	return r.Result.Value
}

// settle waits until the page has drawn twice: what input brings about has begun then.
func (p *tab) settle() {
	p.t.Helper()
	for range 2 {
		p.call("Page.captureScreenshot", object{"format": "jpeg", "quality": 1}, nil)
	}
}
