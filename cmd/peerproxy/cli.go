package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// cli is the whole command line. Flag names are part of the interface: scripts,
// configuration files and environment variables use them.
type cli struct {
	common

	Serve  serveCmd  `cmd:"" help:"Run a node: the proxy for a browser, and a peer for others."`
	Get    getCmd    `cmd:"" help:"Fetch one URL through the running node, or through one started for it."`
	Cache  cacheCmd  `cmd:"" help:"Look into the cache of a running node, or into the file of a stopped one."`
	Bypass bypassCmd `cmd:"" help:"See which hosts' HTTPS the running node does not look into."`
	Why    whyCmd    `cmd:"" name:"why-shared" help:"Say clause by clause why a URL is shared with peers, or why not."`
	Status statusCmd `cmd:"" help:"Say how the running node is doing."`
	CA     caCmd     `cmd:"" name:"ca" help:"The certificate authority of this machine, for looking into HTTPS."`
	Trust  trustCmd  `cmd:"" help:"Say whose copies to take: keys with names, for all sites or some, and revocations."`
	Invite inviteCmd `cmd:"" help:"Invite somebody to this node's group: print a text that makes them a member."`
	Join   joinCmd   `cmd:"" help:"Accept an invitation: become a member of its group, and trust who invited."`
	Demo   demoCmd   `cmd:"" help:"Show on this machine alone how a site outlives its server."`
}

// common are the flags of all commands.
type common struct {
	Data    string           `placeholder:"DIR" default:"${data}" help:"Directory of the node: cache, keys, saved DHT nodes. Default: ${data}."`
	Config  kong.ConfigFlag  `env:"-" placeholder:"FILE" help:"TOML file with flag names as keys. Default: ${config}, if there."`
	Log     string           `enum:"debug,info,warn,error" default:"info" placeholder:"LEVEL" help:"How much to log on standard error: debug, info, warn or error. URLs and addresses of others appear at debug only."`
	Version kong.VersionFlag `env:"-" help:"Print the version."`
}

func options(stdout, stderr io.Writer, exit func(int), sites *siteSections) []kong.Option {
	return []kong.Option{
		kong.Name("peerproxy"),
		kong.Description("A local HTTP proxy that keeps what it fetches and gets what an origin does not answer from peers.\n\n" +
			"Every flag may also be set in a TOML file (key = flag name; [site.\"example.org\"] has trust, accept, sandbox and private for a site) or as an environment variable (--allow-private is PEERPROXY_ALLOW_PRIVATE). " +
			"Flags win over variables, variables over the file.\n\n" + exitHelp),
		kong.Vars{"data": defaultDataDir(), "config": defaultConfigFile(), "version": "peerproxy " + version()},
		kong.DefaultEnvars("PEERPROXY"),
		kong.Configuration(sites.loadTOML, defaultConfigFile()),
		kong.Writers(stdout, stderr),
		kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	}
}

// logger writes what the user asked for to standard error.
func (a *app) logger() *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.common.Log)); err != nil {
		level = slog.LevelInfo // kong has checked the enumeration
	}
	return slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
}

// quietLogger is for nodes that a command runs for a moment: they speak up only in
// trouble, unless the user asked for more.
func (a *app) quietLogger() *slog.Logger {
	if a.common.Log == "info" {
		quiet := *a
		quiet.common.Log = "warn"
		return quiet.logger()
	}
	return a.logger()
}

func (a *app) printf(format string, args ...any) {
	// A reader that has gone (a closed pipe) is no failure of the command.
	_, _ = fmt.Fprintf(a.out, format, args...)
}

// defaultDataDir follows the XDG base directories on Linux, and each system's habit elsewhere.
func defaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "peerproxy")
	}
	if home, err := os.UserHomeDir(); err == nil && runtime.GOOS == "linux" {
		return filepath.Join(home, ".local", "share", "peerproxy")
	}
	if dir, err := os.UserConfigDir(); err == nil {
		return filepath.Join(dir, "peerproxy")
	}
	return "peerproxy-data"
}

func defaultConfigFile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "peerproxy.toml"
	}
	return filepath.Join(dir, "peerproxy", "config.toml")
}

// version is the module's version as the Go toolchain recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
