package truststore

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Machine says where to look. The zero value but for Mark is this machine, for the user that runs
// the program.
type Machine struct {
	// Mark is what the names of the certificates contain that are looked for.
	Mark string
	// OS as in [runtime.GOOS]; empty = this one.
	OS string
	// Home is the user's directory; empty = [os.UserHomeDir].
	Home string
	// Root is put before the paths of the system's stores and commands; it is for tests.
	Root string
}

// Find returns the stores that are there, and those that a browser that is there will use.
// What is missing is said in notes, for people. On systems where certificates have to
// be put into stores by hand, there are none; see [ByHand].
func (m Machine) Find() (stores []Store, notes []string) {
	if m.OS == "" {
		m.OS = runtime.GOOS
	}
	if m.OS == "windows" || m.OS == "darwin" {
		return nil, nil
	}
	if m.Home == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return m.system(), []string{"stores of browsers are not looked for: " + err.Error()}
		}
		m.Home = home
	}
	stores = m.chromium()
	if len(stores) == 0 {
		notes = append(notes, "no browser like Chromium found")
	}
	profiles, problems := m.firefox()
	if len(profiles) == 0 && len(problems) == 0 {
		notes = append(notes, "no profile of Firefox found (it makes one when it is started)")
	}
	return append(append(stores, profiles...), m.system()...), append(notes, problems...)
}

// xdg is a base directory of the XDG specification.
func (m Machine) xdg(variable string, byDefault ...string) string {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(append([]string{m.Home}, byDefault...)...)
}

// chromium are the NSS databases that Chromium and its like use. It looks into ~/.pki/nssdb if
// that directory is there, else into pki/nssdb of the XDG data directory. Where neither has
// been made, the first is taken, where old versions look, too.
func (m Machine) chromium() []Store {
	const name = "Chromium and its like"
	legacy := filepath.Join(m.Home, ".pki", "nssdb")
	modern := filepath.Join(m.xdg("XDG_DATA_HOME", ".local", "share"), "pki", "nssdb")
	var stores []Store
	if isDatabase(legacy) || m.hasChromium() && (isDir(legacy) || !isDatabase(modern)) {
		stores = append(stores, m.nss(NSS, name, legacy))
	}
	if isDatabase(modern) {
		stores = append(stores, m.nss(NSS, name, modern))
	}
	for _, pattern := range []string{
		filepath.Join(m.Home, "snap", "*", "current", ".pki", "nssdb"),
		filepath.Join(m.Home, ".var", "app", "*", ".pki", "nssdb"),
		filepath.Join(m.Home, ".var", "app", "*", "data", "pki", "nssdb"),
	} {
		found, _ := filepath.Glob(pattern) // the pattern is right
		for _, dir := range found {
			if isDatabase(dir) {
				stores = append(stores, m.nss(NSS, "a packaged browser like Chromium", dir))
			}
		}
	}
	return stores
}

func (m Machine) nss(kind Kind, name, dir string) Store {
	return Store{Kind: kind, Name: name, Path: dir, Absent: !isDatabase(dir), backend: database{dir: dir, mark: m.Mark}}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// isDatabase says whether NSS has made a database in dir.
func isDatabase(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, "cert9.db"))
	return err == nil && info.Mode().IsRegular()
}

// hasChromium says whether there seems to be a browser that uses the NSS databases.
func (m Machine) hasChromium() bool {
	for _, program := range []string{
		"chromium", "chromium-browser", "google-chrome", "google-chrome-stable",
		"brave-browser", "microsoft-edge", "microsoft-edge-stable", "vivaldi", "opera",
	} {
		if _, err := exec.LookPath(program); err == nil {
			return true
		}
	}
	config := m.xdg("XDG_CONFIG_HOME", ".config")
	for _, dir := range []string{"chromium", "google-chrome", "BraveSoftware", "microsoft-edge", "vivaldi", "opera"} {
		if isDir(filepath.Join(config, dir)) {
			return true
		}
	}
	return false
}
