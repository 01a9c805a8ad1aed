package proxy

import (
	"mime"
	"net/http"
	"slices"
	"strings"
)

// destination is what a client will do with an answer, as far as its request and the
// answer's media type tell (Fetch Metadata's Sec-Fetch-Dest, Fetch standard section 2.2.5).
// What can't be told is taken for the most dangerous thing that it may be.
type destination int

const (
	toProgram  destination = iota // nothing that a browser would show or run by itself: a download
	toDocument                    // the page itself
	toFrame                       // a page within a page
	toScript                      // anything that runs: scripts, workers, WebAssembly
	toStyle                       // style sheets
	toMedia                       // images, sound, film, fonts: what is only shown
	toData                        // what a page's scripts read
)

// fetchDest are the values of Sec-Fetch-Dest. What is not among them may run.
var fetchDest = map[string]destination{
	"document": toDocument,
	"iframe":   toFrame, "frame": toFrame, "embed": toFrame, "object": toFrame, "fencedframe": toFrame,
	"style": toStyle,
	"image": toMedia, "audio": toMedia, "video": toMedia, "track": toMedia, "font": toMedia,
	"empty": toData, "manifest": toData, "report": toData, "webidentity": toData,
}

// destinationOf tells what an answer of a media type is for.
func destinationOf(r *http.Request, contentType string) destination {
	if r.Header["Service-Worker"] != nil {
		return toScript
	}
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" {
		if to, known := fetchDest[dest]; known {
			return to
		}
		return toScript
	}
	// Browsers send no Fetch Metadata to plain HTTP sites, programs never do.
	if isNavigation(r) {
		return toDocument
	}
	to := byMediaType(contentType)
	if to == toDocument {
		return toFrame // shown, perhaps, but not as the page itself
	}
	return to
}

// isNavigation reports whether a browser will show the answer as a page. Of those requests that
// browsers make by themselves only navigations name HTML among what they accept.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	}
	return slices.ContainsFunc(r.Header["Accept"], func(line string) bool { return strings.Contains(line, "text/html") })
}

// mediaType is the type in a Content-Type without parameters, in lower case. It is "" where
// browsers would have a choice: several types in one field.
func mediaType(contentType string) string {
	name, _, _ := strings.Cut(contentType, ";")
	if strings.Contains(contentType, ",") {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(name))
}

// contentTypeOf is the Content-Type of a response, "" if it has not exactly one.
func contentTypeOf(h http.Header) string {
	if lines := h["Content-Type"]; len(lines) == 1 {
		return lines[0]
	}
	return ""
}

// plainType is a Content-Type that all browsers read in the same way, for copies whose fields nobody has
// proven: the type and, if it is simple, the charset. A type that browsers would read in different ways, or have to
// guess, becomes that of a download. So does multipart: its parts have fields of their own, which Firefox obeys
// (Set-Cookie and Content-Security-Policy in multipart/x-mixed-replace).
func plainType(contentType string) string {
	name := mediaType(contentType)
	kind, sub, _ := strings.Cut(name, "/")
	if !isToken(kind) || !isToken(sub) || kind == "multipart" || name == "message/rfc822" {
		return "application/octet-stream"
	}
	_, params, err := mime.ParseMediaType(contentType)
	if charset := params["charset"]; err == nil && isToken(charset) {
		return name + "; charset=" + charset
	}
	return name
}

// isToken takes those characters of a token (RFC 9110 section 5.6.2) that are in use in media types.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$&^_.+-:", r)
	})
}

// byMediaType is where a browser takes a media type (MIME Sniffing standard, section 4.6).
func byMediaType(contentType string) destination {
	name := mediaType(contentType)
	kind, sub, _ := strings.Cut(name, "/")
	switch {
	case isMarkup(name), name == "application/pdf", name == "":
		return toDocument
	case strings.Contains(sub, "javascript"), strings.Contains(sub, "ecmascript"), sub == "jscript", sub == "livescript", name == "application/wasm":
		return toScript
	case name == "text/css":
		return toStyle
	case kind == "image", kind == "audio", kind == "video", kind == "font":
		return toMedia
	case sub == "json", strings.HasSuffix(sub, "+json"):
		return toData
	case kind == "text":
		return toDocument
	}
	return toProgram
}

// isMarkup reports whether a media type is one that scripts can stand in.
func isMarkup(name string) bool {
	return isHTML(name) || name == "text/xml" || name == "application/xml" || strings.HasSuffix(name, "+xml")
}

func isHTML(name string) bool { return name == "text/html" || name == "application/xhtml+xml" }
