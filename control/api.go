package control

import (
	"net/http"
	"time"
)

// Status says how a node is doing.
type Status struct {
	Version   string     `json:"version"`
	Key       string     `json:"key"`
	Started   time.Time  `json:"started"`
	Proxy     string     `json:"proxy"`            // address of the proxy for browsers
	Peer      string     `json:"peer"`             // address at which peers connect
	External  string     `json:"external"`         // that address as the gateway shows it to the world, "" if it does not
	Mapping   string     `json:"mapping"`          // in words: mapped by what, or why not
	Share     string     `json:"share"`            // off, group or public
	Shared    int        `json:"shared_resources"` // resources that peers may have
	Level     string     `json:"level"`            // what the DHT is told: bucket, site or exact
	Trusting  []string   `json:"trusting"`         // whose copies are taken, in words; empty = nobody's
	Announced int        `json:"announced_sites"`  // sites that stand in the DHT now
	Peers     int        `json:"peers"`            // open connections to peers
	DHT       string     `json:"dht"`              // address of the DHT node
	DHTNodes  int        `json:"dht_nodes"`        // nodes in the routing tables
	DHTReady  bool       `json:"dht_ready"`        // the first bootstrap has ended
	HTTPS     HTTPS      `json:"https"`
	Cache     CacheStats `json:"cache"`
}

// CacheStats counts what the store holds. All sizes are in bytes.
type CacheStats struct {
	Responses  int64  `json:"responses"`
	Bodies     int64  `json:"bodies"`     // stored on their own, equal ones once; very small ones are beside their response
	BodyBytes  int64  `json:"body_bytes"` // equal bodies counted once
	FileBytes  int64  `json:"file_bytes"`
	UsedBytes  int64  `json:"used_bytes"` // of the file; the rest is reused before it grows
	QuotaBytes int64  `json:"quota_bytes"`
	Evicted    uint64 `json:"evicted"`          // responses, since the file was opened
	Damage     string `json:"damage,omitempty"` // why nothing is stored any more
}

// Response describes one stored response.
type Response struct {
	URL       string    `json:"url"`
	Method    string    `json:"method"`
	Status    int       `json:"status"`
	Type      string    `json:"type"` // Content-Type
	Length    int64     `json:"length"`
	Root      string    `json:"root"`   // BLAKE3 of the content
	SHA256    string    `json:"sha256"` // of the content
	Tier      string    `json:"tier"`   // how far it is proven
	Signer    string    `json:"signer,omitempty"`
	Shareable bool      `json:"shareable"`
	Received  time.Time `json:"received"` // from the origin, by whoever fetched it
	Stored    time.Time `json:"stored"`   // here
	Age       int64     `json:"age"`      // seconds, RFC 9111 section 4.2.3
	Fresh     bool      `json:"fresh"`
	Why       string    `json:"why"` // the cache's reason for fresh or not, in words

	// These are filled in for one URL, not in lists.
	Explained []Finding   `json:"explained,omitempty"` // the cache's decisions on it, in words
	Header    http.Header `json:"header,omitempty"`
	Selecting http.Header `json:"selecting,omitempty"` // request fields that select this variant
	Signed    []string    `json:"signed,omitempty"`    // Signature-Input of each signature
}

// Finding is one decision of the cache, and why.
type Finding struct {
	Topic   string `json:"topic"`
	Text    string `json:"text"`
	Section string `json:"section"` // of the RFC that says so
}

// Removed is the answer to a removal.
type Removed struct {
	Responses int `json:"responses"`
}

// VerifyLine is one line of the answer to a verification: a problem, or the report at the end.
type VerifyLine struct {
	Problem string        `json:"problem,omitempty"`
	Report  *VerifyReport `json:"report,omitempty"`
}

// VerifyReport sums up a verification.
type VerifyReport struct {
	Responses int64 `json:"responses"`
	Bodies    int64 `json:"bodies"`
	Bytes     int64 `json:"bytes"`
	Problems  int   `json:"problems"`
}
