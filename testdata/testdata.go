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
