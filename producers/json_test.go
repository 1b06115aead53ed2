package producers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseJSONKeepsText(t *testing.T) {
	t.Parallel()
	root, err := parseJSON([]byte(` {"id": 820982911946154508, "price": 1.10, "big": 1E400, "url": "https:\/\/a.b\/?c=1\u0026d", "face": "\ud83d\ude00", "list": [0, {"x": null}, "", true]} `))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	(&taker{}).rest(root, got)
	want := map[string]string{
		"id": "820982911946154508", "price": "1.10", "big": "1E400", "url": "https://a.b/?c=1&d", "face": "😀", "list.0": "0", "list.3": "true",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("leaves (-want +got):\n%s", d)
	}
	if x := root.get("list.1.x"); x == nil || x.present() {
		t.Errorf("list.1.x = %v, want a null that is there", x)
	}
}

func TestParseJSONRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", maxDepth+2)
	for _, tt := range []struct{ name, in, want string }{
		{"duplicate member", `{"a":{"b":1,"b":2}}`, `offset 12, a: member "b" is there twice: which one counts is unknown`},
		{"duplicate by escape", `{"a":1,"\u0061":2}`, `offset 7: member "a" is there twice: which one counts is unknown`},
		{"trailing comma in object", `{"a":1,}`, `offset 7: trailing comma`},
		{"trailing comma in array", `{"a":[1,2 , ]}`, `offset 12, a: trailing comma`},
		{"leading zero", `{"id":0123}`, `offset 6, id: not a number`},
		{"bare point", `[1.]`, `offset 3, 0: a digit was expected after the point`},
		{"half surrogate", `["\ud83d"]`, `offset 8, 0: half of a surrogate pair`},
		{"swapped surrogates", `["\ude00\ud83d"]`, `offset 14, 0: half of a surrogate pair`},
		{"control character", "[\"a\nb\"]", `offset 3, 0: a control character (0x0a) stands bare in a string`},
		{"not UTF-8", "[\"\xff\"]", `offset 3, 0: the string is not UTF-8`},
		{"unknown escape", `["\x"]`, `offset 3, 0: \x is not an escape`},
		{"early end", `{"a":`, `offset 5, a: the document ends early`},
		{"nothing", ``, `offset 0: the document ends early`},
		{"open string", `["abc`, `offset 5, 0: the string does not end`},
		{"two documents", `{} {}`, `offset 3: text after the end of the document`},
		{"single quotes", `{'a':1}`, `offset 1: a member name was expected (a trailing comma?)`},
		{"no colon", `{"a" 1}`, `offset 5: "a" must be followed by a colon`},
		{"NaN", `[NaN]`, `offset 1, 0: 'N' does not start a value (a trailing comma before it?)`},
		{"too deep", deep, fmt.Sprintf("offset %d, %s: more than %d levels deep", maxDepth+1, strings.TrimSuffix(strings.Repeat("0.", maxDepth+1), "."), maxDepth)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseJSON([]byte(tt.in))
			var syntax *syntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("err = %v, want a syntax error", err)
			}
			if err.Error() != tt.want {
				t.Errorf("err = %s\nwant  %s", err, tt.want)
			}
		})
	}
}

// FuzzParseJSON holds the reader to encoding/json: what it takes, that takes too, with the same leaves.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"x\u0041",null,true,false,{}]}`, `[]`, `"\ud83d\ude00"`, `{"a":{"a":1}}`, `0`, `{"a.b":1,"a":{"b":2}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		root, err := parseJSON(b)
		if err != nil {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("taken, but encoding/json says %v", err)
		}
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			t.Fatalf("more follows: %v", err)
		}
		if d := cmp.Diff(want, plain(root)); d != "" {
			t.Errorf("(-encoding/json +ours):\n%s", d)
		}
		if got := b[root.from:root.to]; !json.Valid(got) {
			t.Errorf("offsets cut %q", got)
		}
	})
}

// plain is the document as encoding/json would give it.
func plain(n *node) any {
	switch n.kind {
	case kindObject:
		m := map[string]any{}
		for _, k := range n.kids {
			m[k.name] = plain(k)
		}
		return m
	case kindArray:
		l := []any{}
		for _, k := range n.kids {
			l = append(l, plain(k))
		}
		return l
	case kindNumber:
		return json.Number(n.text)
	case kindString:
		return n.text
	case kindBool:
		return n.text == "true"
	}
	return nil
}
