package producers

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// fault is why an input cannot be normalized: at which field, what was found and the mend.
type fault struct {
	Field string
	Text  string
}

// maxReason bounds what of an input is said in a fault, in bytes.
const maxReason = 1000

// Error is "field: text", at most maxReason bytes.
func (f *fault) Error() string {
	text := f.Text
	if f.Field != "" {
		text = f.Field + ": " + text
	}
	return clip(text)
}

// clip bounds a text that is said of an input.
func clip(text string) string {
	if len(text) > maxReason {
		return strings.ToValidUTF8(text[:maxReason], "") + "..."
	}
	return text
}

// taker reads typed values from a document and marks their leaves as taken. It keeps the first fault; what is read
// after it is of no use.
type taker struct {
	err  *fault
	zone *time.Location // of times without a zone; nil is UTC
	time string         // Go layout of times that are not RFC 3339; empty for none
	// rested counts the bytes that rest has put into extensions.
	rested int
}

func (t *taker) fail(n *node, field, format string, args ...any) {
	if t.err == nil {
		if n != nil {
			field = n.path()
		}
		t.err = &fault{field, fmt.Sprintf(format, args...)}
	}
}

// text is the leaf's text at path below n; empty when it is missing or null.
func (t *taker) text(n *node, path string) string {
	v := n.get(path)
	if !v.present() {
		return ""
	}
	if !v.leaf() {
		t.fail(v, "", "a text was expected, found a list or an object")
		return ""
	}
	v.taken = true
	return v.text
}

// peek is the leaf's text at path without taking it: for what decides but has no place of its own in the model.
func (t *taker) peek(n *node, path string) string {
	if v := n.get(path); v.present() && v.leaf() {
		return v.text
	}
	return ""
}

// id is a text or a whole number as written; any other number is a fault, as it may have been rounded.
func (t *taker) id(n *node, path string) string {
	v := n.get(path)
	if v.present() && v.leaf() && v.kind == kindBool {
		t.fail(v, "", "an id was expected, found %s", v.text)
		return ""
	}
	if v.present() && v.kind == kindNumber && strings.ContainsAny(v.text, ".eE") {
		t.fail(v, "", "id %s is not a whole number: it was rounded on its way, send it as text", v.text)
		return ""
	}
	return t.text(n, path)
}

// need is an id that may not be missing, null or empty; mend says what to do about it.
func (t *taker) need(n *node, path, mend string) string {
	id := t.id(n, path)
	if id != "" || t.err != nil {
		return id
	}
	what := "is missing"
	switch v := n.get(path); {
	case v != nil && v.kind == kindNull:
		what = "is null"
	case v != nil:
		what = "is empty"
	}
	if n != nil && n.up != nil {
		path = n.path() + "." + path
	}
	t.fail(nil, path, "%s: %s", what, mend)
	return ""
}

// count is a whole number, 0 when missing or null. A negative one is given as is.
func (t *taker) count(n *node, path string) int64 {
	v := n.get(path)
	if !v.present() || v.text == "" && v.leaf() {
		return 0
	}
	c, err := wholeNumber(v.text)
	if err != nil || !v.leaf() {
		t.fail(v, "", "a whole number was expected, found %q", v.text)
		return 0
	}
	v.taken = true
	return c
}

// wholeNumber reads "3" and also "3.0", as exports of spreadsheets write it.
func wholeNumber(s string) (int64, error) {
	s = strings.TrimSpace(s)
	if whole, frac, ok := strings.Cut(s, "."); ok && strings.Trim(frac, "0") == "" {
		s = whole
	}
	return strconv.ParseInt(s, 10, 64)
}

// money is an amount in major units; nil when it is missing, null or empty. What does not fit the currency is a fault,
// never rounded.
func (t *taker) money(n *node, path, currency string) *schemas.Money {
	v := n.get(path)
	if !v.present() || v.text == "" && v.leaf() {
		return nil
	}
	if !v.leaf() {
		t.fail(v, "", "an amount was expected, found a list or an object")
		return nil
	}
	text := strings.TrimSpace(v.text)
	if len(text) > maxAmount || strings.ContainsAny(text, "eE") {
		t.fail(v, "", "amount %.40q is not a plain decimal: write it as 12.50", text)
		return nil
	}
	m, err := schemas.NewMoney(text, strings.ToUpper(currency))
	if err != nil {
		t.fail(v, "", "%v", err)
		return nil
	}
	v.taken = true
	return m
}

// maxAmount is the longest text of an amount: more cannot fit decimal(20,4), and an exponent could name a number of any
// size.
const maxAmount = 40

// unitPrice is money where it fits; an amount with more decimals than the currency has (a computed price of one unit)
// stays in the extensions as written.
func (t *taker) unitPrice(n *node, path, currency string) *schemas.Money {
	return (&taker{}).money(n, path, currency)
}

// amountOf reads {"amount", "currency_code"} or {"amount", "currency"}; nil when it is missing.
func (t *taker) amountOf(n *node, path string) *schemas.Money {
	v := n.get(path)
	if !v.present() {
		return nil
	}
	code := "currency_code"
	if v.get(code) == nil {
		code = "currency"
	}
	return t.moneyWith(v, "amount", code)
}

// moneyWith reads an amount whose currency stands beside it.
func (t *taker) moneyWith(n *node, amount, code string) *schemas.Money {
	currency := t.peek(n, code)
	if n.get(amount).present() && currency == "" {
		t.fail(n.get(amount), "", "an amount without its currency: add %q", code)
		return nil
	}
	m := t.money(n, amount, currency)
	if m != nil {
		n.get(code).taken = m.Currency == currency
	}
	return m
}

// minor is an amount in minor units of the currency; odd lists the exponents in which a platform differs from ISO 4217.
func (t *taker) minor(n *node, path, currency string, odd map[string]int32) *schemas.Money {
	v := n.get(path)
	if !v.present() {
		return nil
	}
	units, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil || !v.leaf() {
		t.fail(v, "", "a whole number of minor units was expected, found %q", v.text)
		return nil
	}
	currency = strings.ToUpper(currency)
	m, err := minorMoney(units, currency, odd)
	if err != nil {
		t.fail(v, "", "%v", err)
		return nil
	}
	v.taken = true
	return m
}

func minorMoney(units int64, currency string, odd map[string]int32) (*schemas.Money, error) {
	e, differs := odd[currency]
	if !differs {
		return schemas.NewMinorMoney(units, currency)
	}
	m := &schemas.Money{Amount: decimal.New(units, -e), Currency: currency}
	if err := schemas.CheckMoney(m); err != nil {
		return nil, err
	}
	return m, nil
}

// when is a time in UTC, microseconds; nil when it is missing, null or empty. The leaf counts as taken only if its
// text says no more than the typed time does, so that offsets and finer fractions stay in the extensions.
func (t *taker) when(n *node, path string) *time.Time {
	v := n.get(path)
	if !v.present() || strings.TrimSpace(v.text) == "" && v.leaf() {
		return nil
	}
	at, err := t.parseTime(v.text)
	if err != nil || !v.leaf() {
		t.fail(v, "", "time %q is not RFC 3339%s", v.text, t.layoutHint())
		return nil
	}
	text := at.Format(time.RFC3339Nano)
	v.taken = v.text == text || t.zone == nil && v.text+"Z" == text
	return &at
}

func (t *taker) layoutHint() string {
	if t.time == "" {
		return ""
	}
	return fmt.Sprintf(" and not %q", t.time)
}

func (t *taker) parseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	at, err := time.Parse(time.RFC3339, s)
	if err != nil && t.time != "" {
		zone := t.zone
		if zone == nil {
			zone = time.UTC
		}
		at, err = time.ParseInLocation(t.time, s, zone)
	}
	if err == nil && (at.Year() < 1 || at.Year() > 9999) {
		err = fmt.Errorf("year %d", at.Year())
	}
	return at.UTC().Truncate(time.Microsecond), err
}

// epoch is a time in whole seconds since 1970; nil when it is missing or null.
func (t *taker) epoch(n *node, path string) *time.Time {
	v := n.get(path)
	if !v.present() {
		return nil
	}
	s, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil || !v.leaf() || s < 0 || s > 253402300799 { // 9999-12-31
		t.fail(v, "", "seconds since 1970 were expected, found %q", v.text)
		return nil
	}
	v.taken = true
	at := time.Unix(s, 0).UTC()
	return &at
}
