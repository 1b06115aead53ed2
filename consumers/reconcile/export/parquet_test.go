package export_test

import (
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/binaryandbeyond/seam/consumers/reconcile/export"
)

// exported writes the samples to a folder and gives the paths of their files.
func exported(t *testing.T, table export.Table) (csv, columnar string) {
	t.Helper()
	dir := t.TempDir()
	to, err := export.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := write(t, to, snapshot(t, table)).Manifest
	in := filepath.Join(dir, "2026-11-24", "v1")
	return filepath.Join(in, m.Tables[0].CSV.Name), filepath.Join(in, m.Tables[0].Parquet.Name)
}

const sampleSchema = `message samples {
	required int64 n (INT(64,true));
	optional binary text (STRING);
	optional fixed_len_byte_array(9) sum (DECIMAL(20,4));
	optional binary unit (STRING);
	optional int64 at (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));
	optional int32 day (DATE);
	optional boolean paid;
	required fixed_len_byte_array(9) ratio (DECIMAL(20,4));
}`

func TestParquet(t *testing.T) {
	t.Parallel()
	_, path := exported(t, samples())
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	at, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(file, at.Size())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sampleSchema, f.Schema().String()); d != "" {
		t.Errorf("schema (-want +got):\n%s", d)
	}
	if got := f.Metadata().CreatedBy; got != "seam version 1.0.0(build export)" {
		t.Errorf("created by %q", got)
	}
	var got []string
	rows := f.RowGroups()[0].Rows()
	defer rows.Close()
	for room := make([]parquet.Row, 3); ; {
		n, err := rows.ReadRows(room)
		for _, row := range room[:n] {
			got = append(got, line(row))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const at0 = "|1795561199999999|20781|"
	want := []string{
		"-9223372036854775808||1|EUR" + at0 + "false|15000",
		"-10|a,b;c \"quoted\"\nnext\r\nline|-1|EUR" + at0 + "false|15000",
		"-9|Größe 東京 🧾|99999999999999999999|USD" + at0 + "false|15000",
		"0|=SUM(A1)|-99999999999999999999|USD" + at0 + "false|15000",
		"1|'quoted|15000000|JPY" + at0 + "true|15000",
		"2|＝1|12500|EUR" + at0 + "true|15000",
		"10|\ttab|0|KWD" + at0 + "true|15000",
		"9223372036854775807|<null>|<null>|<null>|<null>|<null>|<null>|0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
}

// line is a row with its amounts as whole numbers of 1/10000.
func line(row parquet.Row) string {
	var cells []string
	for _, v := range row {
		if v.Kind() != parquet.FixedLenByteArray || v.IsNull() {
			cells = append(cells, v.String())
			continue
		}
		n := new(big.Int).SetBytes(v.ByteArray())
		if v.ByteArray()[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 72))
		}
		cells = append(cells, n.String())
	}
	return strings.Join(cells, "|")
}

// TestOtherReaders reads the files with the programs that finance has, where this machine has them.
func TestOtherReaders(t *testing.T) {
	t.Parallel()
	csv, columnar := exported(t, samples())
	tests := []struct{ name, module, script string }{
		{"pyarrow", "pyarrow", `
import pyarrow, pyarrow.parquet as pq, pyarrow.csv as pc
t = pq.read_table(parquet)
assert str(t.schema.field("sum").type) == "decimal128(20, 4)", t.schema
assert str(t.schema.field("at").type) == "timestamp[us, tz=UTC]", t.schema
assert str(t.schema.field("day").type) == "date32[day]", t.schema
group = pq.ParquetFile(parquet).metadata.row_group(0)
for i in range(group.num_columns):
    c = group.column(i)
    assert c.compression == "ZSTD", c
    assert c.statistics.has_min_max == (c.path_in_schema not in ("sum", "ratio")), c
out(t.to_pylist())
`},
		{"pyarrow CSV", "pyarrow", `
import pyarrow.csv as pc, pyarrow as pa
kinds = dict(n=pa.int64(), text=pa.string(), sum=pa.decimal128(20, 4), unit=pa.string(), at=pa.timestamp("us", "UTC"), day=pa.date32(), paid=pa.bool_(), ratio=pa.decimal128(20, 4))
t = pc.read_csv(csv, parse_options=pc.ParseOptions(newlines_in_values=True), convert_options=pc.ConvertOptions(column_types=kinds, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]))
out([dict(r, text=r["text"] and r["text"].removeprefix("'")) for r in t.to_pylist()])
`},
		{"duckdb", "duckdb", `
import duckdb
con = duckdb.connect()
con.execute("set timezone='UTC'")
sum = lambda where: con.execute(f"select count(*) from read_parquet('{parquet}') where {where}").fetchone()[0]
assert sum("sum < 0") == 2, sum("sum < 0")
assert sum("sum > 1000000000000000") == 1
assert sum("sum = -0.0001") == 1
rows = con.execute(f"select n, text, sum, unit, strftime(\"at\", '%Y-%m-%dT%H:%M:%S.%f'), day, paid, ratio from read_parquet('{parquet}')").fetchall()
import datetime
names = ["n", "text", "sum", "unit", "at", "day", "paid", "ratio"]
out([{**dict(zip(names, r)), "at": r[4] and datetime.datetime.fromisoformat(r[4] + "+00:00")} for r in rows])
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := exec.CommandContext(t.Context(), "python3", "-c", "import "+tt.module).Run(); err != nil {
				t.Skipf("no python3 with %s here: %v", tt.module, err)
			}
			const begin = "import json, sys\ncsv, parquet = sys.argv[1:]\nout = lambda rows: json.dump([{k: v if v is None or isinstance(v, (int, str)) else v.isoformat() if hasattr(v, 'isoformat') else str(v) for k, v in r.items()} for r in rows], sys.stdout)\n"
			cmd := exec.CommandContext(t.Context(), "python3", "-c", begin+tt.script, csv, columnar)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			text, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, &stderr)
			}
			var got []map[string]any
			decode := json.NewDecoder(strings.NewReader(string(text)))
			decode.UseNumber()
			if err := decode.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(readByOthers(), got); d != "" {
				t.Errorf("rows (-want +got):\n%s", d)
			}
		})
	}
}

// readByOthers are the samples.
func readByOthers() []map[string]any {
	row := func(n, text, sum, unit string, paid bool) map[string]any {
		return map[string]any{"n": json.Number(n), "text": text, "sum": sum, "unit": unit, "at": "2026-11-24T22:59:59.999999+00:00",
			"day": "2026-11-24", "paid": paid, "ratio": "1.5000"}
	}
	return []map[string]any{
		row("-9223372036854775808", "", "0.0001", "EUR", false),
		row("-10", "a,b;c \"quoted\"\nnext\r\nline", "-0.0001", "EUR", false),
		row("-9", "Größe 東京 🧾", "9999999999999999.9999", "USD", false),
		row("0", "=SUM(A1)", "-9999999999999999.9999", "USD", false),
		row("1", "'quoted", "1500.0000", "JPY", true),
		row("2", "＝1", "1.2500", "EUR", true),
		row("10", "\ttab", "0.0000", "KWD", true),
		{"n": json.Number("9223372036854775807"), "text": nil, "sum": nil, "unit": nil, "at": nil, "day": nil, "paid": nil, "ratio": "0.0000"},
	}
}

// TestEmptyTable has its columns in both files.
func TestEmptyTable(t *testing.T) {
	t.Parallel()
	csv, columnar := exported(t, orders())
	text, err := os.ReadFile(csv)
	if err != nil || string(text) != "order_id,amount,currency,note\r\n" {
		t.Errorf("CSV %q, %v", text, err)
	}
	rows, err := parquet.ReadFile[any](columnar)
	if err != nil || len(rows) != 0 {
		t.Errorf("Parquet %v, %v", rows, err)
	}
}
