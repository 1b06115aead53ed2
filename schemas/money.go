package schemas

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
)

// MoneyScale is the number of decimals on the wire: enough for every ISO 4217 exponent (0 to 4).
const MoneyScale = 4

// moneyLimit is the first amount that decimal(20,4) cannot hold.
var moneyLimit = decimal.New(1, 16)

// String is "12.50 EUR": the currency's own decimals, and more only where the amount has them. Equal amounts give equal
// texts, whether they came from a source or from the wire.
func (m *Money) String() string {
	d := canonical(m.Amount, exponent(m.Currency))
	return d.StringFixed(max(exponent(m.Currency), -d.Exponent())) + " " + m.Currency
}

// NewMoney parses an amount in major units ("12.50") of a currency. The amount must fit decimal(20,4) and have no more
// decimals than the currency; what does not is an error, never rounded.
func NewMoney(amount, currency string) (*Money, error) {
	d, usual := usualAmount(amount)
	if !usual {
		var err error
		if d, err = decimal.NewFromString(amount); err != nil {
			return nil, fmt.Errorf("amount %q is not a decimal", amount)
		}
	}
	if e := d.Exponent(); e > 16 || e < -40 { // "1e999999999" would take for ever to compare
		return nil, fmt.Errorf("amount %q does not fit decimal(20,4)", amount)
	}
	m := &Money{Amount: d, Currency: currency}
	if err := CheckMoney(m); err != nil {
		return nil, err
	}
	return m, nil
}

// usualAmount is decimal.NewFromString for "12.50" and its like, digits with digits behind a point or none, 15 at most;
// false for any other text.
func usualAmount(text string) (decimal.Decimal, bool) {
	whole, frac, pointed := strings.Cut(text, ".")
	if whole == "" || pointed && frac == "" || len(whole)+len(frac) > 15 {
		return decimal.Decimal{}, false
	}
	var v int64
	for _, digits := range [2]string{whole, frac} {
		for i := range len(digits) {
			c := digits[i] - '0'
			if c > 9 {
				return decimal.Decimal{}, false
			}
			v = v*10 + int64(c)
		}
	}
	return decimal.New(v, -int32(len(frac))), true
}

// NewMinorMoney is an amount in the currency's minor units, as Stripe and Adyen send it: 1250 EUR is 12.50, 1250 JPY is
// 1250, 1250 KWD is 1.250.
func NewMinorMoney(minor int64, currency string) (*Money, error) {
	m := &Money{Amount: decimal.New(minor, -exponent(currency)), Currency: currency}
	if err := CheckMoney(m); err != nil {
		return nil, err
	}
	return m, nil
}

// CheckMoney tells whether the amount can be carried without loss: a three-letter upper-case currency, no decimals
// but zeros beyond the currency's own (which are 4 at most), less than 10^16. goavro would truncate what does not fit.
func CheckMoney(m *Money) error {
	if len(m.Currency) != 3 || m.Currency[0] < 'A' || m.Currency[0] > 'Z' || m.Currency[1] < 'A' || m.Currency[1] > 'Z' || m.Currency[2] < 'A' || m.Currency[2] > 'Z' {
		return fmt.Errorf("currency %q is not an ISO 4217 code", m.Currency)
	}
	if c, ok := small(m.Amount); ok && m.Amount.Exponent() <= 0 {
		if _, e := shortest(c, m.Amount.Exponent(), exponent(m.Currency)); -e > exponent(m.Currency) {
			return fmt.Errorf("amount %s has more decimals than %s has (%d)", m.Amount, m.Currency, exponent(m.Currency))
		}
		return nil // of 14 digits at most
	}
	if !m.Amount.Truncate(exponent(m.Currency)).Equal(m.Amount) {
		return fmt.Errorf("amount %s has more decimals than %s has (%d)", m.Amount, m.Currency, exponent(m.Currency))
	}
	if m.Amount.Abs().GreaterThanOrEqual(moneyLimit) {
		return fmt.Errorf("amount %s does not fit decimal(20,4)", m.Amount)
	}
	return nil
}

// shortest takes zeros off the decimals of a number, but leaves least of them.
func shortest(c int64, exp, least int32) (int64, int32) {
	for -exp > least && c%10 == 0 {
		c /= 10
		exp++
	}
	return c, exp
}

// exponent is the number of decimals of the currency's minor unit. Source: ISO 4217 list one (2026).
func exponent(currency string) int32 {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	case "CLF", "UYW":
		return 4
	}
	return 2
}
