package truststore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxProfilesINI = 1 << 20
	maxProfiles    = 100
)

// firefox are the databases of the profiles. What can't be read is a problem to tell.
func (m Machine) firefox() (stores []Store, problems []string) {
	seen := map[string]bool{}
	for _, dir := range []string{
		filepath.Join(m.Home, ".mozilla", "firefox"),
		filepath.Join(m.xdg("XDG_CONFIG_HOME", ".config"), "mozilla", "firefox"), // new installations since Firefox 147
		filepath.Join(m.Home, "snap", "firefox", "common", ".mozilla", "firefox"),
		filepath.Join(m.Home, ".var", "app", "org.mozilla.firefox", ".mozilla", "firefox"),
		filepath.Join(m.Home, ".var", "app", "org.mozilla.firefox", "config", "mozilla", "firefox"),
	} {
		profiles, err := readProfiles(dir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				problems = append(problems, fmt.Sprintf("profiles of Firefox in %s: %v", dir, err))
			}
			continue
		}
		for _, p := range profiles {
			if !isDir(p.dir) || seen[p.dir] {
				continue // a profile that was deleted
			}
			seen[p.dir] = true
			stores = append(stores, m.nss(Firefox, fmt.Sprintf("Firefox, profile %q", p.name), p.dir))
		}
	}
	return stores, problems
}

// profile is a section of profiles.ini.
type profile struct {
	name, dir string
}

func readProfiles(dir string) ([]profile, error) {
	path := filepath.Join(dir, "profiles.ini")
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("profiles.ini is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxProfilesINI+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxProfilesINI {
		return nil, fmt.Errorf("profiles.ini is longer than %d bytes", maxProfilesINI)
	}
	return parseProfiles(string(text), dir)
}

// parseProfiles reads the sections [Profile0], [Profile1], … of a profiles.ini: Name, and Path,
// which is relative to the file's directory unless IsRelative=0.
func parseProfiles(text, dir string) ([]profile, error) {
	var profiles []profile
	values, in := map[string]string{}, false
	end := func() {
		if path := values["Path"]; in && path != "" {
			path = filepath.FromSlash(path)
			if values["IsRelative"] != "0" {
				path = filepath.Join(dir, path)
			}
			profiles = append(profiles, profile{name: values["Name"], dir: path})
		}
		clear(values)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			end()
			in = strings.HasPrefix(line, "[Profile")
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && in {
			values[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	end()
	if len(profiles) > maxProfiles {
		return nil, fmt.Errorf("more than %d profiles", maxProfiles)
	}
	return profiles, nil
}
