package proxy

import (
	"net/url"
	"regexp"
	"strings"
)

// secretPath reports whether a path seems to have a key in it: as a parameter of a
// segment (";jsessionid=", RFC 3986 section 3.3), or as a segment that looks random, as
// in links that let in whoever knows them. Titles of pages are not random, whatever
// their length, and hashes of public files are no secrets.
func secretPath(path string) bool {
	segments := strings.Split(path, "/")
	var content bool // below a directory of what is named by its hash
	for i, segment := range segments {
		name, parameters, found := strings.Cut(segment, ";")
		if found && secretQuery(parameters) {
			return true
		}
		name = unescapedSegment(name)
		file := i == len(segments)-1 && staticFile(name)
		if !file && randomSegment(name, content) {
			return true
		}
		content = content || contentDirs[strings.ToLower(name)]
	}
	return false
}

func unescapedSegment(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// contentDirs are directories whose entries are commonly named by the hash of their
// content, or of a public commit.
var contentDirs = map[string]bool{
	"asset": true, "assets": true, "static": true, "dist": true, "build": true, "bundle": true, "bundles": true, "public": true, "cdn": true,
	"js": true, "css": true, "script": true, "scripts": true, "style": true, "styles": true, "font": true, "fonts": true,
	"img": true, "image": true, "images": true, "icon": true, "icons": true, "media": true, "thumb": true, "thumbs": true, "thumbnails": true,
	"_next": true, "_nuxt": true, "_astro": true, "_app": true, "wp-content": true, "hash": true, "md5": true, "sha1": true, "sha256": true, "objects": true, "blobs": true,
	"commit": true, "commits": true, "blob": true, "tree": true, "raw": true,
}

// staticEndings are those of files that make up pages or are offered for download.
// Documents are not among them: a bill has its random name for a reason.
var staticEndings = map[string]bool{
	"js": true, "mjs": true, "css": true, "map": true, "wasm": true,
	"png": true, "jpg": true, "jpeg": true, "gif": true, "webp": true, "avif": true, "svg": true, "ico": true, "bmp": true, "jxl": true,
	"woff": true, "woff2": true, "ttf": true, "otf": true, "eot": true,
	"mp4": true, "m4v": true, "webm": true, "mp3": true, "m4a": true, "ogg": true, "oga": true, "ogv": true, "opus": true, "flac": true, "wav": true, "ts": true, "m4s": true,
	"zip": true, "gz": true, "tgz": true, "bz2": true, "xz": true, "zst": true, "7z": true, "tar": true, "iso": true, "img": true,
	"deb": true, "rpm": true, "apk": true, "jar": true, "whl": true, "exe": true, "msi": true, "dmg": true,
}

func staticFile(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	return dot > 0 && staticEndings[strings.ToLower(name[dot+1:])]
}

var (
	uuid = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	jwt  = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.`) // RFC 7519
	word = regexp.MustCompile(`[0-9A-Za-z]+`)
	hash = regexp.MustCompile(`^[0-9A-Fa-f]{20,128}$`)
	// natural words are as people write them: "tomatoes", "CopyOnWriteArrayList",
	// "iPhone15", "1080p", "2024".
	natural = regexp.MustCompile(`^(?:[0-9]+|[0-9]{0,4}(?:[a-z]+|[A-Z]+|[a-z]*(?:[A-Z][a-z]+)+)[0-9]{0,4})$`)
)

// randomSegment reports whether a segment of a path looks random. Only what lies
// from the first word that is not natural to the last counts, so that titles with a
// short number behind them do not. In a directory of hashes those are none of it.
func randomSegment(segment string, content bool) bool {
	if uuid.MatchString(segment) || jwt.MatchString(segment) {
		return true
	}
	from, to := -1, 0
	for _, at := range word.FindAllStringIndex(segment, -1) {
		text := segment[at[0]:at[1]]
		if natural.MatchString(text) || content && hash.MatchString(text) {
			continue
		}
		if from < 0 {
			from = at[0]
		}
		to = at[1]
	}
	return from >= 0 && looksRandom(segment[from:to])
}
