package schemas

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Mask keeps the first letter of a text, and of an email address the ending: "j***@***.com".
func Mask(s string) string {
	s = strings.TrimSpace(s)
	first, _ := utf8.DecodeRuneInString(s)
	if s == "" {
		return "***"
	}
	if at := strings.LastIndexByte(s, '@'); at > 0 {
		if dot := strings.LastIndexByte(s, '.'); dot > at {
			return string(first) + "***@***" + s[dot:]
		}
	}
	return string(first) + "***"
}

var (
	emailForm = regexp.MustCompile(`[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+`)
	phoneForm = regexp.MustCompile(`\+\d[\d ()/-]{6,}\d`)
	// naming matches members of JSON answers that hold a name, an address or a note.
	naming = regexp.MustCompile(`(?i)("(?:[a-z_]*name|email|phone|address[a-z0-9_]*|street|city|zip|postal_code|note|comment)"\s*:\s*)"((?:[^"\\]|\\.)*)"?`)
)

// MaskText masks the email addresses, phone numbers and named personal members in an excerpt of an answer.
func MaskText(s string) string {
	if strings.ContainsRune(s, '"') {
		s = naming.ReplaceAllString(s, `$1"***"`)
	}
	if strings.ContainsRune(s, '@') {
		s = emailForm.ReplaceAllStringFunc(s, Mask)
	}
	if strings.ContainsRune(s, '+') {
		s = phoneForm.ReplaceAllString(s, "+***")
	}
	return s
}

// maskFrom is the length from which a personal text is looked for in others: a country's two letters stand everywhere.
const maskFrom = 3

// MaskFor is MaskText that also finds whatever is personal of an event: what is said of it may repeat it.
func MaskFor(ev *Event, s string) string {
	if s == "" {
		return s
	}
	for _, text := range PersonalTexts(ev) {
		if len(text) < maskFrom {
			continue
		}
		s = strings.ReplaceAll(s, text, "***")
		if quoted, err := json.Marshal(text); err == nil { // as a JSON answer has it
			s = strings.ReplaceAll(s, string(quoted[1:len(quoted)-1]), "***")
		}
		if ascii := strconv.QuoteToASCII(text); len(ascii) != len(text)+2 { // and one that escapes what is not ASCII
			s = strings.ReplaceAll(s, ascii[1:len(ascii)-1], "***")
		}
	}
	return MaskText(s)
}
