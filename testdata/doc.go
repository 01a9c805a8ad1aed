// Package testdata embeds the small web site that the demonstration serves as an
// origin and that end-to-end tests browse. Every file of it was made for this project.
package testdata
