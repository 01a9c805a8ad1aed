package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/pelletier/go-toml/v2"
)

// tomlFile resolves flags from a configuration file. Its keys are flag names. What is set for
// sites is no flag, see [siteSections].
type tomlFile map[string]any

// maxConfigFile bounds what is read, in bytes.
const maxConfigFile = 1 << 20

func (s *siteSections) loadTOML(r io.Reader) (kong.Resolver, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxConfigFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration file: %w", err)
	}
	if len(text) > maxConfigFile {
		return nil, fmt.Errorf("configuration file is larger than %d bytes", maxConfigFile)
	}
	values := tomlFile{}
	if err := toml.Unmarshal(text, &values); err != nil {
		var where *toml.DecodeError
		if errors.As(err, &where) {
			row, column := where.Position()
			return nil, fmt.Errorf("configuration file, line %d column %d: %w", row, column, err)
		}
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	if err := s.take(values); err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	return values, nil
}

// Validate refuses keys that are no flag: a misspelt key must not be silently without effect.
func (f tomlFile) Validate(application *kong.Application) error {
	known := flagNames(application.Node)
	var unknown []string
	for key := range f {
		if !slices.Contains(known, key) {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	sort.Strings(unknown)
	return fmt.Errorf("configuration file: unknown key %s", strings.Join(unknown, ", "))
}

// Resolve gives a flag's value from the file, unless the environment sets it.
func (f tomlFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, env := range flag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil
		}
	}
	switch v := f[flag.Name].(type) {
	case nil:
		return nil, nil
	case []any:
		return v, nil
	case string, bool:
		return v, nil
	case int64, float64:
		return fmt.Sprint(v), nil
	default:
		return nil, fmt.Errorf("configuration file: %s can't be a %T", flag.Name, v)
	}
}

func flagNames(node *kong.Node) []string {
	var names []string
	for _, flag := range node.Flags {
		names = append(names, flag.Name)
	}
	for _, child := range node.Children {
		names = append(names, flagNames(child)...)
	}
	return names
}
