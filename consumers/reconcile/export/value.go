package export

import (
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

// Type is what a column holds. The zero Type is no type.
type Type uint8

// The types. Each has one way to be written in CSV and one in Parquet.
const (
	TypeString    Type = 1 + iota // UTF-8 text, ids among it; sorted by bytes
	TypeInt64                     // whole number
	TypeAmount                    // decimal(20,4): 4 decimals, less than 10^16
	TypeTimestamp                 // instant, in microseconds, UTC, years 1 to 9999
	TypeDate                      // calendar day, years 1 to 9999
	TypeBool                      // false sorts before true
)

var typeNames = map[Type]string{
	TypeString: "string", TypeInt64: "int64", TypeAmount: "decimal(20,4)", TypeTimestamp: "timestamp_us_utc", TypeDate: "date", TypeBool: "bool",
}

// String is the type's word in a manifest: string, int64, decimal(20,4), timestamp_us_utc, date or bool.
func (t Type) String() string {
	if name, ok := typeNames[t]; ok {
		return name
	}
	return "none"
}

// MarshalText gives String; an unknown type is an error.
func (t Type) MarshalText() ([]byte, error) {
	if name, ok := typeNames[t]; ok {
		return []byte(name), nil
	}
	return nil, fmt.Errorf("column type %d is not one of ours", t)
}

// UnmarshalText reads what MarshalText wrote.
func (t *Type) UnmarshalText(text []byte) error {
	for k, name := range typeNames {
		if name == string(text) {
			*t = k
			return nil
		}
	}
	return fmt.Errorf("column type %q is not known: it was written by a newer seam, use that one", text)
}

// Date is a calendar day. The zero Date is no day.
type Date struct {
	Year  int        // 1 to 9999
	Month time.Month // 1 to 12
	Day   int        // 1 to 31
}

// ParseDate reads "2026-11-24".
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1 {
		return Date{}, fmt.Errorf("day %q is not a date: write it as 2026-11-24", text)
	}
	return DateOf(t), nil
}

// DateOf is the day of t in t's own time zone.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{Year: y, Month: m, Day: d}
}

// String is "2026-11-24".
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// In is the first instant of the day in a time zone.
func (d Date) In(zone *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, zone)
}

// MarshalText gives String.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDate.
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDate(string(text))
	return err
}

// valid is whether the calendar has the day.
func (d Date) valid() bool { return d.Year >= 1 && d.Year <= 9999 && DateOf(d.In(time.UTC)) == d }

// Value is one cell. The zero Value is NULL.
type Value struct {
	typ    Type
	text   string
	number int64 // TypeInt64; TypeBool: 1 is true
	amount decimal.Decimal
	at     time.Time
	day    Date
}

// StringValue is text; it must be valid UTF-8.
func StringValue(s string) Value { return Value{typ: TypeString, text: s} }

// Int64Value is a whole number.
func Int64Value(n int64) Value { return Value{typ: TypeInt64, number: n} }

// AmountValue is an exact decimal with at most 4 decimals that are not zero, less than 10^16.
func AmountValue(d decimal.Decimal) Value { return Value{typ: TypeAmount, amount: d} }

// TimestampValue is an instant of whole microseconds, in any time zone.
func TimestampValue(t time.Time) Value { return Value{typ: TypeTimestamp, at: t} }

// DateValue is a calendar day.
func DateValue(d Date) Value { return Value{typ: TypeDate, day: d} }

// BoolValue is true or false.
func BoolValue(b bool) Value {
	v := Value{typ: TypeBool}
	if b {
		v.number = 1
	}
	return v
}

// Null is whether the value is NULL.
func (v Value) Null() bool { return v.typ == 0 }

// Row is the cells of one row, in the order of the table's columns.
type Row []Value

// Amounts are carried as whole numbers of 1/10000.
const (
	amountScale     = 4
	amountPrecision = 20
)

var amountLimit = pow10(amountPrecision)

func pow10(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }

// scaled is d times 10^4, exactly; otherwise fault says what does not fit, and mend what to do.
func scaled(d decimal.Decimal) (units *big.Int, fault, mend string) {
	const tooLarge, tooLargeMend = "does not fit decimal(20,4)", "an amount is less than 10^16: look for the wrong unit where it comes from"
	const tooFine, tooFineMend = "has more than 4 decimals", "round it where the row is made, so that every reader sees the same"
	units = d.Coefficient()
	shift := int64(d.Exponent()) + amountScale
	switch {
	case units.Sign() == 0:
		return units, "", ""
	case shift > amountPrecision: // 10^999999999 would take for ever to write out
		return nil, tooLarge, tooLargeMend
	case shift >= 0:
		units.Mul(units, pow10(shift))
	case -shift > int64(units.BitLen()): // smaller than one unit for certain, and as slow
		return nil, tooFine, tooFineMend
	default:
		rest := new(big.Int)
		if units.QuoRem(units, pow10(-shift), rest); rest.Sign() != 0 {
			return nil, tooFine, tooFineMend
		}
	}
	if units.CmpAbs(amountLimit) >= 0 {
		return nil, tooLarge, tooLargeMend
	}
	return units, "", ""
}

// appendUnits appends a whole number of 1/10000 as a decimal with 4 decimals.
func appendUnits(dst []byte, units *big.Int) []byte {
	var room [48]byte
	digits := units.Append(room[:0], 10)
	if digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	dst = append(dst, "00000"[:max(0, amountScale+1-len(digits))]...)
	dst = append(append(dst, digits...), 0)
	point := len(dst) - 1 - amountScale
	copy(dst[point+1:], dst[point:])
	dst[point] = '.'
	return dst
}

// appendTimestamp appends "2026-11-24T22:59:59.000000Z".
func appendTimestamp(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
}

// appendText appends a cell that is not NULL as CSV says it, without quotes and apostrophe; units are those of an amount.
func (v Value) appendText(dst []byte, units *big.Int) []byte {
	switch v.typ {
	case TypeString:
		return append(dst, v.text...)
	case TypeInt64:
		return strconv.AppendInt(dst, v.number, 10)
	case TypeAmount:
		return appendUnits(dst, units)
	case TypeTimestamp:
		return appendTimestamp(dst, v.at)
	case TypeDate:
		return append(dst, v.day.String()...)
	case TypeBool:
		return strconv.AppendBool(dst, v.number == 1)
	}
	return dst
}
