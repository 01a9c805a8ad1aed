package browserlab_test

import (
	"encoding/json"
	"strings"
)

// domNode is one of the tree as DevTools sees it: with what is in closed shadow trees.
type domNode struct {
	NodeID         int
	LocalName      string
	Attributes     []string
	Children       []domNode
	ShadowRoots    []domNode
	ShadowRootType string
}

// find returns the first node below a shadow root, else in the tree, that is wanted.
func (n *domNode) find(wanted func(*domNode) bool) *domNode {
	if wanted(n) {
		return n
	}
	if n.ShadowRootType == "user-agent" { // how the browser itself makes its elements
		return nil
	}
	for _, list := range [][]domNode{n.ShadowRoots, n.Children} {
		for i := range list {
			if found := list[i].find(wanted); found != nil {
				return found
			}
		}
	}
	return nil
}

func (n *domNode) element(name string) *domNode {
	return n.find(func(n *domNode) bool { return n.LocalName == name })
}

// bannerNode is the part of the document that the proxy has put in.
func (p *tab) bannerNode() *domNode {
	p.t.Helper()
	var doc struct{ Root domNode }
	p.call("DOM.getDocument", object{"depth": -1, "pierce": true}, &doc)
	return doc.Root.find(func(n *domNode) bool {
		return n.LocalName == "section" && strings.Join(n.Attributes, " ") == "lang en aria-label Where this page comes from"
	})
}

// banner is what the banner of a page says, as people see it. It is "" without one.
func (p *tab) banner() string {
	p.t.Helper()
	n := p.bannerNode()
	if n == nil {
		return ""
	}
	var text string
	p.on(n, "function() { return this.innerText }", &text)
	return strings.Join(strings.Fields(text), " ")
}

// on calls a function with a node as this.
func (p *tab) on(n *domNode, function string, result any) {
	p.t.Helper()
	var resolved struct{ Object struct{ ObjectID string } }
	p.call("DOM.resolveNode", object{"nodeId": n.NodeID}, &resolved)
	var r struct {
		Result struct{ Value json.RawMessage }
	}
	p.call("Runtime.callFunctionOn", object{"objectId": resolved.Object.ObjectID, "functionDeclaration": function, "returnByValue": true}, &r)
	if err := json.Unmarshal(r.Result.Value, result); err != nil {
		p.t.Fatalf("%s: %v", function, err)
	}
}

// box is where a node is in the window.
func (p *tab) box(n *domNode) (b box) {
	p.t.Helper()
	p.on(n, "function() { return this.getBoundingClientRect().toJSON() }", &b)
	return b
}

// covered reports whether something else is seen, and clicked, in the middle of a node.
func (p *tab) covered(n *domNode) bool {
	p.t.Helper()
	b := p.box(n)
	var at struct{ BackendNodeID int }
	p.call("DOM.getNodeForLocation", object{"x": int(b.X + b.Width/2), "y": int(b.Y + b.Height/2), "includeUserAgentShadowDOM": true}, &at)
	var is bool
	var hit struct{ Object struct{ ObjectID string } }
	p.call("DOM.resolveNode", object{"backendNodeId": at.BackendNodeID}, &hit)
	var own struct{ Object struct{ ObjectID string } }
	p.call("DOM.resolveNode", object{"nodeId": n.NodeID}, &own)
	var r struct{ Result struct{ Value bool } }
	p.call("Runtime.callFunctionOn", object{
		"objectId": own.Object.ObjectID, "functionDeclaration": "function(hit) { return this.contains(hit) }", "returnByValue": true,
		"arguments": []object{{"objectId": hit.Object.ObjectID}},
	}, &r)
	is = r.Result.Value
	return !is
}

// inWindow reports whether all of a node is in the window, and large enough to be read.
func (p *tab) inWindow(n *domNode) bool {
	p.t.Helper()
	var window struct{ W, H float64 }
	p.on(n, "function() { return {W: innerWidth, H: innerHeight} }", &window)
	b := p.box(n)
	return b.Width > 100 && b.Height > 20 && b.X >= 0 && b.Y >= 0 && b.X+b.Width <= window.W && b.Y+b.Height <= window.H
}

// cookies are all of the browser, also those that no page may see.
func (p *tab) cookies() map[string]string {
	p.t.Helper()
	var jar struct {
		Cookies []struct{ Name, Value, Domain string }
	}
	p.call("Network.getAllCookies", nil, &jar)
	all := map[string]string{}
	for _, c := range jar.Cookies {
		all[c.Name] = c.Value
	}
	return all
}
