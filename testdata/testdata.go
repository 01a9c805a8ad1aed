// Package testdata embeds the small web site that the demonstration serves as an
// origin and that end-to-end tests browse. Every file of it was made for this project.
package testdata

import (
	"embed"
	"io/fs"
)

//go:embed all:site
var site embed.FS

// Site is the file system of the site, index.html at its root.
func Site() fs.FS {
	sub, err := fs.Sub(site, "site")
	if err != nil {
		panic(err) // "site" is a constant, valid path
	}
	return sub
}
