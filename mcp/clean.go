package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode"
)

const (
	maxText   = 500       // runes of one text
	maxAnswer = 256 << 10 // bytes of one answer; an assistant's whole context is a few times that
)

// maxElements is how many elements of a list are shown: the first that keeps an answer within maxAnswer.
var maxElements = []int{200, 50, 10, 3}

var errTooLong = errors.New("the answer is too long: ask for less")

// clean gives v as JSON values with every text and list bounded and without characters that nobody sees. cut tells whether
// something was left out.
func clean(v any) (out any, cut bool, err error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, false, err
	}
	for _, limit := range maxElements {
		c := cleaner{limit: limit}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber() // digits stay as they are
		if err := dec.Decode(&out); err != nil {
			return nil, false, err
		}
		out = c.value(out)
		if short, err := json.Marshal(out); err != nil || len(short) <= maxAnswer {
			return out, c.cut, err
		}
	}
	return nil, false, errTooLong
}

type cleaner struct {
	limit int
	cut   bool
}

func (c *cleaner) value(v any) any {
	switch v := v.(type) {
	case string:
		return c.text(v)
	case []any:
		if len(v) > c.limit {
			v, c.cut = v[:c.limit], true
		}
		for i := range v {
			v[i] = c.value(v[i])
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, x := range v {
			out[c.text(name)] = c.value(x)
		}
		return out
	}
	return v
}

// text is one line of at most maxText visible characters: controls become spaces, and format characters (zero width,
// direction, tags), by which a text can say to a machine what no person sees, go.
func (c *cleaner) text(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs), unicode.Is(unicode.Variation_Selector, r):
			return -1
		case unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp):
			return ' '
		}
		return r
	}, s)
	n := 0
	for i := range s {
		if n == maxText {
			c.cut = true
			return s[:i] + "…"
		}
		n++
	}
	return s
}
