package rules

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
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
	da, okA := number(a)
	db, okB := number(b)
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

// number reads plain digits. Exponents are refused: comparing 1e999999999 would write it out.
func number(s string) (decimal.Decimal, bool) {
	if strings.ContainsAny(s, "eE") {
		return decimal.Zero, false
	}
	d, err := decimal.NewFromString(s)
	return d, err == nil
}

// Newer is the newer of two source versions; b where they cannot be compared, and a where b is empty.
func Newer(a, b string) string {
	if cmp, ok := CompareVersions(a, b); b == "" || ok && cmp > 0 {
		return a
	}
	return b
}

// stateful tells whether events of the type carry a whole state of their subject, so that an older one is worthless after a
// newer. A refund or a shipment is a fact of its own and never is.
func stateful(et schemas.EventType) bool {
	switch et {
	case schemas.OrderCreated, schemas.OrderUpdated, schemas.OrderCancelled, schemas.CustomerRegistered, schemas.CustomerUpdated, schemas.InventoryLevelSet:
		return true
	default:
		return false
	}
}

// onlyFields tells whether events of the type are nothing but what they say of fields: without any they are pointless. Others
// are facts even so.
func onlyFields(et schemas.EventType) bool { return stateful(et) || et == schemas.OrderEnriched }

// cut parses Money.String.
func cut(text string) (decimal.Decimal, string, bool) {
	amount, currency, _ := strings.Cut(text, " ")
	d, err := decimal.NewFromString(amount)
	return d, currency, err == nil
}
