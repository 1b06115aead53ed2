package topology

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/outbound"
)

// TestKeysDocumented holds the table of docs/integrations.md to the keys that an integration's file may have, and to the
// defaults that loading fills in.
func TestKeysDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/integrations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "<!-- keys -->")
	table, _, ok := strings.Cut(rest, "<!-- end of keys -->")
	if !ok {
		t.Fatal("docs/integrations.md has no place for the keys")
	}
	documented := map[string]string{} // key to its default
	var keys []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\|.*\\| *([^|]*?) *\\|$").FindAllStringSubmatch(table, -1) {
		documented[m[1]] = m[2]
		keys = append(keys, m[1])
	}
	in := Integration{Facts: &Facts{}, Environment: &Handshake{Auth: Auth{OAuth2: &OAuth2{}}}, TLS: &outbound.Files{}, Sign: &Signing{}, Deliver: []Route{{HTTP: &HTTPCall{Auth: Auth{OAuth2: &OAuth2{}}}, File: &FileSink{}, ReadBack: &ReadBack{}}}, Rate: Rate{Slow: []Slow{{}}}, Windows: []Window{{}}}
	integrationDefaults(&in)
	read := map[string]reflect.Value{}
	walkKeys("", reflect.ValueOf(in), read)
	var want []string
	for key := range read {
		want = append(want, key)
	}
	slices.Sort(want)
	slices.Sort(keys)
	if d := cmp.Diff(want, keys); d != "" {
		t.Errorf("docs/integrations.md (-keys that files may have +documented):\n%s", d)
	}
	for key, v := range read {
		text, plain := defaultText(v)
		if !plain || text == "" {
			continue
		}
		said := strings.Trim(documented[key], "`")
		if d, err := ParseDuration(said); err == nil && v.Type() == reflect.TypeFor[Duration]() {
			said = d.String()
		}
		if said != text {
			t.Errorf("%s: the default is %s, and the table says %q", key, text, documented[key])
		}
	}
}

// walkKeys collects the leaves of a struct of the files by their dotted keys.
func walkKeys(at string, v reflect.Value, out map[string]reflect.Value) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		} else {
			v = v.Index(0)
		}
	}
	for i := range v.NumField() {
		tag, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		f := v.Field(i)
		if options == "inline" {
			walkKeys(at, f, out)
			continue
		}
		if tag == "-" || tag == "" {
			continue
		}
		key := strings.TrimPrefix(at+"."+tag, ".")
		of := f.Type()
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() == reflect.Struct && !reflect.PointerTo(of).Implements(reflect.TypeFor[yaml.Unmarshaler]()) {
			walkKeys(key, f, out)
			continue
		}
		out[key] = f
	}
}

// defaultText is a default as the table has it; empty for none. False for what has no text.
func defaultText(v reflect.Value) (string, bool) {
	if v.IsZero() {
		return "", true
	}
	switch x := v.Interface().(type) {
	case Duration:
		return x.D().String(), true
	case Percent:
		return fmt.Sprintf("%g%%", float64(x)), true
	case int, string:
		return fmt.Sprint(x), true
	case []int:
		return strings.ReplaceAll(fmt.Sprint(x), " ", ", "), true
	}
	return "", false
}
