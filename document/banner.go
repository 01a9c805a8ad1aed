package document

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"
)

// BannerText is what a [Banner] says. All texts may be hostile, and long.
type BannerText struct {
	Host        string        // whose document it would be
	Age         time.Duration // since the document came from there
	Source      string        // where it comes from: "a copy kept by this proxy", "a peer's copy"
	Tier        string        // how far it is proven, in a word
	TierMeaning string        // and in a few words, without a full stop
	Newer       string        // text of the link to something newer; "" for no link
	NewerURL    string        // http, https, or without a scheme
}

// maxBannerText bounds each text, in characters.
const maxBannerText = 300

//go:embed banner.css
var bannerStyle string

//go:embed banner.html
var bannerSource string

var bannerTemplate = template.Must(template.New("banner").Parse(bannerSource))

// Banner returns a notice for a document that did not come from its site now, and the
// style in it, for [AllowStyle]. It is HTML in ASCII: a strip at the lower edge of the window that can be
// closed, in a shadow tree that style sheets of the page can't reach. It needs no script and
// fetches nothing, and a sandboxed document can have it. It isn't printed with a page.
func Banner(b BannerText) (fragment []byte, style string) {
	data := struct {
		BannerText
		Style template.CSS
		Age   string
	}{b, template.CSS(bannerStyle), age(b.Age)}
	for _, text := range []*string{&data.Host, &data.Source, &data.Tier, &data.TierMeaning, &data.Newer} {
		*text = shorten(*text)
	}
	if !linkable(b.NewerURL) {
		data.Newer = ""
	}
	var out bytes.Buffer
	if err := bannerTemplate.Execute(&out, data); err != nil {
		panic(err) // the template and its data are ours: no input makes it fail
	}
	return ascii(out.Bytes()), bannerStyle
}

// shorten also takes off what could turn the direction of our own text around.
func shorten(text string) string {
	var out []rune
	for _, r := range text {
		if len(out) == maxBannerText {
			return string(out) + "\u2026"
		}
		switch {
		case r < ' ', r == 0x7f, r >= 0x80 && r < 0xa0, r == 0x061c, r >= 0x200b && r <= 0x200f,
			r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff, r == utf8.RuneError:
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}

func linkable(address string) bool {
	u, err := url.Parse(address)
	return err == nil && address != "" && (u.Scheme == "" || u.Scheme == "http" || u.Scheme == "https")
}

// ascii puts character references for everything else: the document's encoding may be any.
func ascii(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
		} else {
			out = fmt.Appendf(out, "&#%d;", r)
		}
	}
	return out
}

// age is d in words, in the largest unit of which it has at least two.
func age(d time.Duration) string {
	units := []struct {
		name string
		d    time.Duration
	}{{"years", 365 * 24 * time.Hour}, {"months", 30 * 24 * time.Hour}, {"days", 24 * time.Hour}, {"hours", time.Hour}, {"minutes", time.Minute}}
	for _, unit := range units {
		if n := d / unit.d; n >= 2 {
			return strconv.FormatInt(int64(n), 10) + " " + unit.name
		}
	}
	return "less than two minutes"
}
