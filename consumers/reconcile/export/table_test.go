package export_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/consumers/reconcile/export"
)

func id(i int) string { return fmt.Sprintf("%09d", i) }

// samples has a column of each type, and the values that are easy to get wrong.
func samples() export.Table {
	at := time.Date(2026, 11, 24, 23, 59, 59, 999_999_000, time.FixedZone("CET", 3600))
	row := func(n int64, text, sum, unit export.Value) export.Row {
		return export.Row{export.Int64Value(n), text, sum, unit, export.TimestampValue(at), export.DateValue(day), export.BoolValue(n > 0), amount("1.5")}
	}
	s := export.StringValue
	return export.Table{Name: "samples", Key: []string{"n"},
		Columns: []export.Column{
			{Name: "n", Type: export.TypeInt64},
			{Name: "text", Type: export.TypeString, Nullable: true},
			{Name: "sum", Type: export.TypeAmount, Nullable: true, Currency: "unit"},
			{Name: "unit", Type: export.TypeString, Nullable: true},
			{Name: "at", Type: export.TypeTimestamp, Nullable: true},
			{Name: "day", Type: export.TypeDate, Nullable: true},
			{Name: "paid", Type: export.TypeBool, Nullable: true},
			{Name: "ratio", Type: export.TypeAmount},
		},
		Rows: given(
			row(math.MinInt64, s(""), amount("0.0001"), s("EUR")),
			row(-10, s("a,b;c \"quoted\"\nnext\r\nline"), amount("-0.0001"), s("EUR")),
			row(-9, s("Größe 東京 🧾"), amount("9999999999999999.9999"), s("USD")),
			row(0, s("=SUM(A1)"), amount("-9999999999999999.9999"), s("USD")),
			row(1, s("'quoted"), amount("1500"), s("JPY")),
			row(2, s("＝1"), amount("1.2500000"), s("EUR")),
			row(10, s("\ttab"), amount("0"), s("KWD")),
			export.Row{export.Int64Value(math.MaxInt64), {}, {}, {}, {}, {}, {}, amount("-0")},
		)}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	to := newFolder(t)
	m := write(t, to, snapshot(t, samples())).Manifest
	const rest = "2026-11-24T22:59:59.999999Z,2026-11-24,"
	want := "n,text,sum,unit,at,day,paid,ratio\r\n" +
		`-9223372036854775808,"",0.0001,"EUR",` + rest + "false,1.5000\r\n" +
		"-10,\"a,b;c \"\"quoted\"\"\nnext\r\nline\",-0.0001,\"EUR\"," + rest + "false,1.5000\r\n" +
		`-9,"Größe 東京 🧾",9999999999999999.9999,"USD",` + rest + "false,1.5000\r\n" +
		`0,"'=SUM(A1)",-9999999999999999.9999,"USD",` + rest + "false,1.5000\r\n" +
		`1,"''quoted",1500.0000,"JPY",` + rest + "true,1.5000\r\n" +
		`2,"'＝1",1.2500,"EUR",` + rest + "true,1.5000\r\n" +
		"10,\"'\ttab\",0.0000,\"KWD\"," + rest + "true,1.5000\r\n" +
		"9223372036854775807,,,,,,,0.0000\r\n"
	if d := cmp.Diff(want, read(t, to, "2026-11-24/v1/"+m.Tables[0].CSV.Name)); d != "" {
		t.Errorf("CSV (-want +got):\n%s", d)
	}
	totals := []export.Total{
		{Column: "sum", Currency: "EUR", Rows: 3, Sum: "1.2500"}, {Column: "sum", Currency: "JPY", Rows: 1, Sum: "1500.0000"},
		{Column: "sum", Currency: "KWD", Rows: 1, Sum: "0.0000"}, {Column: "sum", Currency: "USD", Rows: 2, Sum: "0.0000"},
		{Column: "ratio", Rows: 8, Sum: "10.5000"},
	}
	if d := cmp.Diff(totals, m.Tables[0].Totals); d != "" {
		t.Errorf("totals (-want +got):\n%s", d)
	}
}

// TestRowErrors names table, row, key, column and mend.
func TestRowErrors(t *testing.T) {
	t.Parallel()
	good := func() export.Row {
		return export.Row{export.Int64Value(7), export.StringValue("a"), amount("1"), export.StringValue("EUR"), {}, {}, {}, amount("1")}
	}
	with := func(i int, v export.Value) []export.Row {
		r := good()
		r[i] = v
		return []export.Row{r}
	}
	seven := good()
	eight := good()
	eight[0] = export.Int64Value(8)
	minus := good()
	minus[0] = export.Int64Value(-70)
	exactly := func(d decimal.Decimal) []export.Row { return with(2, export.AmountValue(d)) }
	at := time.Date(2026, 1, 1, 0, 0, 0, 1500, time.UTC)
	const row = "export 2026-11-24: table samples, row 1 (n=7)"
	const fine = row + ", column sum: has more than 4 decimals: round it where the row is made, so that every reader sees the same"
	const large = row + ", column sum: does not fit decimal(20,4): an amount is less than 10^16: look for the wrong unit where it comes from"
	tests := []struct {
		name string
		rows []export.Row
		want string
	}{
		{"cells", []export.Row{good()[:3]}, "export 2026-11-24: table samples, row 1: has 3 cells for 8 columns: give one per column, in their order"},
		{"null key", with(0, export.Value{}), "export 2026-11-24: table samples, row 1, column n: is NULL, and the column is not nullable: give a value, or declare the column nullable"},
		{"type", with(1, export.Int64Value(1)), row + ", column text: holds int64, and the column is string: make one of them the other"},
		{"UTF-8", with(1, export.StringValue("\xff")), row + ", column text: is not valid UTF-8: decode it where it comes from"},
		{"fine", exactly(decimal.RequireFromString("1.00001")), fine},
		{"very fine", exactly(decimal.New(1, -1_000_000_000)), fine},
		{"large", exactly(decimal.New(1, 16)), large},
		{"very large", exactly(decimal.New(-1, 1_000_000_000)), large},
		{"no currency", with(3, export.Value{}), row + ", column unit: is not an ISO 4217 code, and sum has an amount: give the currency of the amount, as EUR"},
		{"wrong currency", with(3, export.StringValue("eur")), row + ", column unit: is not an ISO 4217 code, and sum has an amount: give the currency of the amount, as EUR"},
		{"nanoseconds", with(4, export.TimestampValue(at)), row + ", column at: is finer than a microsecond: truncate it where the row is made"},
		{"far", with(4, export.TimestampValue(at.AddDate(8000, 0, 0))), row + ", column at: is not in the years 1 to 9999: give NULL for an instant that is not known"},
		{"no day", with(5, export.DateValue(export.Date{Year: 2026, Month: 2, Day: 30})), row + ", column day: is not a day of the calendar: give NULL for a day that is not known"},
		{"twice", []export.Row{seven, seven}, "export 2026-11-24: table samples, row 2 (n=7): has the key of the row before: give each key once, or add the column that tells them apart to the key"},
		{"order", []export.Row{seven, minus}, `export 2026-11-24: table samples, row 2 (n=-70): comes after a greater key: sort by the key, strings by bytes (ORDER BY … COLLATE "C")`},
		{"good", []export.Row{minus, seven, eight}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table := samples()
			table.Rows = given(tt.rows...)
			to := newFolder(t)
			_, err := export.Write(t.Context(), to, snapshot(t, table))
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var fault *export.RowError
			if !errors.As(err, &fault) || fault.Mend == "" {
				t.Fatalf("got %v, want a RowError", err)
			}
			if d := cmp.Diff(tt.want, err.Error()); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
			if got := names(t, to); len(got) != 0 {
				t.Errorf("left %v", got)
			}
		})
	}
}

func TestRowsFail(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection lost")
	table := orders()
	table.Rows = func(yield func(export.Row, error) bool) { yield(nil, lost) }
	_, err := export.Write(t.Context(), newFolder(t), snapshot(t, table))
	if !errors.Is(err, lost) || err.Error() != "export 2026-11-24: table orders, after row 0: connection lost" {
		t.Errorf("got %v", err)
	}
}

// TestKeyOrder holds rows to the order of each type.
func TestKeyOrder(t *testing.T) {
	t.Parallel()
	old, late := time.Date(800, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 1000, time.UTC)
	tests := map[export.Type][]export.Value{
		export.TypeString:    {text(""), text("10"), text("9"), text("Z"), text("a"), text("ä"), text("東")},
		export.TypeInt64:     {export.Int64Value(math.MinInt64), export.Int64Value(-9), export.Int64Value(0), export.Int64Value(9), export.Int64Value(10)},
		export.TypeAmount:    {amount("-10"), amount("-9.5"), amount("-0.0001"), amount("0"), amount("0.0001"), amount("9.5"), amount("10")},
		export.TypeTimestamp: {export.TimestampValue(old), export.TimestampValue(late.Add(-time.Microsecond)), export.TimestampValue(late)},
		export.TypeDate:      {export.DateValue(export.DateOf(old)), export.DateValue(day)},
		export.TypeBool:      {export.BoolValue(false), export.BoolValue(true)},
	}
	for typ, values := range tests {
		t.Run(typ.String(), func(t *testing.T) {
			t.Parallel()
			run := func(rows ...export.Row) error {
				table := export.Table{Name: "t", Columns: []export.Column{{Name: "k", Type: typ}}, Key: []string{"k"}, Rows: given(rows...)}
				_, err := export.Write(t.Context(), newFolder(t), snapshot(t, table))
				return err
			}
			rows := make([]export.Row, 0, len(values))
			for _, v := range values {
				rows = append(rows, export.Row{v})
			}
			if err := run(rows...); err != nil {
				t.Error(err)
			}
			for i := 1; i < len(rows); i++ {
				if err := run(rows[i], rows[i-1]); err == nil {
					t.Errorf("%d before %d is not refused", i, i-1)
				}
			}
		})
	}
}
