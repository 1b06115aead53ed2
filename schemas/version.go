package schemas

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// CompareVersions orders two source versions: -1, 0 or 1; ok is false where they cannot be compared, and then neither is
// older. Whole or decimal numbers compare as numbers, RFC 3339 texts as times.
func CompareVersions(a, b string) (order int, ok bool) {
	if a == "" || b == "" {
		return 0, false
	}
	if digits(a) && digits(b) {
		ia, _ := strconv.ParseInt(a, 10, 64) // of at most 18 digits: they fit
		ib, _ := strconv.ParseInt(b, 10, 64)
		return cmp.Compare(ia, ib), true
	}
	if ta, err := time.Parse(time.RFC3339Nano, a); err == nil {
		tb, err := time.Parse(time.RFC3339Nano, b)
		if err != nil {
			return 0, false
		}
		return ta.Compare(tb), true
	}
	da, okA := VersionNumber(a)
	db, okB := VersionNumber(b)
	if !okA || !okB {
		return 0, false
	}
	return da.Cmp(db), true
}

// digits tells a whole number that needs no decimal to compare it.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) <= 18
}

// VersionNumber is a source version that is a plain number; ok is false for all else. Exponents are refused: comparing
// 1e999999999 would write it out.
func VersionNumber(s string) (n decimal.Decimal, ok bool) {
	if strings.ContainsAny(s, "eE") {
		return n, false
	}
	n, err := decimal.NewFromString(s)
	return n, err == nil
}
