// Package control is the local interface of a running node: HTTP over a Unix
// socket in the data directory, for the command line and for nobody else.
//
// The socket can be opened by its owner only; there is no other authentication
// and no way to reach it from a browser page. [Handler] serves the API,
// [Client] speaks it. [Local] joins the two in memory, so that a command which
// inspects the file of a stopped node runs the same code as one which asks a
// running node.
//
//	GET    /status                       Status
//	GET    /responses                    one Response a line
//	GET    /responses?url=URL            the stored variants of one URL, with fields
//	DELETE /responses?url=URL            Removed
//	GET    /body?url=URL                 the newest variant's content
//	GET    /stats                        CacheStats
//	POST   /verify                       one VerifyLine a line, the last with the report
//	POST   /trust/reload                 TrustReloaded, once the keyring is in force
//	GET    /why-shared?url=URL           Sharing
//	GET    /get?url=URL&from=SOURCE      the response, as the proxy gives it
//
// Answers are JSON, long ones a JSON value a line. Errors are a status and a
// line of text.
package control
