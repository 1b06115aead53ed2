package producers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// retail is the format of an ERP's invoice lines.
func retail(match string) topology.FileFormat {
	return topology.FileFormat{
		Match: match, Type: schemas.InvoiceIssued, Currency: "GBP", Zone: "Europe/London", Time: "2006-01-02 15:04:05",
		Columns: map[string]string{
			"subject": "InvoiceNo", "time": "InvoiceDate", "invoice.id": "InvoiceNo", "invoice.customer_id": "CustomerID", "invoice.issued_at": "InvoiceDate",
			"invoice.lines.0.sku": "StockCode", "invoice.lines.0.title": "Description", "invoice.lines.0.quantity": "Quantity", "invoice.lines.0.price": "UnitPrice",
		},
		Rules: []topology.FileRule{
			{Column: "InvoiceNo", Prefix: "C", Type: schemas.InvoiceCancelled},
			{Column: "InvoiceNo", Prefix: "A", Type: schemas.InvoiceIssued, Set: map[string]string{"invoice.kind": "adjustment"}},
		},
	}
}

func folder(t *testing.T, formats ...topology.FileFormat) topology.Source {
	return topology.Source{Name: "erp", System: "erp", Platform: topology.Files, Dir: t.TempDir(), Files: formats, Every: topology.Duration(time.Minute)}
}

// drop puts a file into the folder that was last written a minute before our clock.
func drop(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	at := noon.Add(-time.Minute)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// look lets the edge look at its first folder once.
func (r *rig) look() bool {
	r.t.Helper()
	unsettled, err := r.edge.files[0].look(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return unsettled
}

const retailHead = "\xef\xbb\xbfInvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n"

func TestFilesRows(t *testing.T) {
	t.Parallel()
	s := folder(t, retail("*.csv"))
	r := newRig(t, s)
	drop(t, s.Dir, "invoices.csv", retailHead+
		"536365,85123A,\"HOLDER, \"\"WHITE\"\"\",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\r\n"+
		"536365,85123A,\"HOLDER, \"\"WHITE\"\"\",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\r\n"+ // the same line twice is two facts
		"C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,14527.0,United Kingdom\r\n"+
		"536366,22633,too few cells\r\n"+
		"536367,22745,POPPY'S,x,2010-12-01 08:34:00,2.10,13047.0,United Kingdom\r\n"+
		"536368,22745,POPPY'S,-3,2010-12-01 08:34:00,2.10,13047.0,United Kingdom\r\n"+
		"536369,22745,bad \"quote\",3,2010-12-01 08:34:00,2.10,13047.0,United Kingdom\r\n"+
		"A563185,B,Adjust bad debt,1,2011-08-12 14:50:00,11062.06,,United Kingdom\r\n"+
		"536370,22728,ALARM CLOCK,24,2010-12-01 08:45:00,0.001,12583.0,France")
	r.look()
	type line struct {
		Type              schemas.EventType
		Subject, Customer string
		Kind, SKU         string
		Quantity          int64
		Price, Raw        string
	}
	got := map[string]line{}
	for _, ev := range r.events(schemas.TopicOrders) {
		l := ev.Invoice.Lines[0]
		price := ""
		if l.Price != nil {
			price = l.Price.String()
		}
		_, row, _ := strings.Cut(ev.DeliveryID, "#")
		got[row] = line{ev.Type, ev.Subject, ev.Invoice.CustomerID, ev.Invoice.Kind, l.SKU, l.Quantity, price, ev.Extensions["Quantity"] + ev.Extensions["UnitPrice"]}
	}
	want := map[string]line{
		"1": {"invoice.issued", "536365", "17850.0", "invoice", "85123A", 6, "2.55 GBP", ""},
		"2": {"invoice.issued", "536365", "17850.0", "invoice", "85123A", 6, "2.55 GBP", ""},
		"3": {"invoice.cancelled", "C536379", "14527.0", "credit", "D", 1, "27.50 GBP", "-1"},
		"8": {"invoice.issued", "A563185", "", "adjustment", "B", 1, "11062.06 GBP", ""},
		"9": {"invoice.issued", "536370", "12583.0", "invoice", "22728", 24, "", "0.001"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	reasons := map[int64]string{}
	for _, q := range r.quarantined() {
		reasons[q.Line] = q.Reason
		if q.File != "invoices.csv" || len(q.Body) == 0 || !strings.HasPrefix(q.Headers["columns"], "\xef\xbb\xbf") && !strings.HasPrefix(q.Headers["columns"], "InvoiceNo,") {
			t.Errorf("quarantined: %+v", q)
		}
	}
	wantReasons := map[int64]string{
		5: "invoices.csv line 5: the row has 3 cells, the header 8: a separator too many or too few, or an unquoted one",
		6: `invoices.csv line 6: Quantity: a whole number was expected, found "x"`,
		7: "invoices.csv line 7: quantity: quantity -3 is negative in a row of type invoice.issued: add a rule that gives such rows their type (invoice.cancelled, return.received)",
		8: "invoices.csv line 8: bare \" in non-quoted-field in column 18: mend the quoting",
	}
	if d := cmp.Diff(wantReasons, reasons); d != "" {
		t.Errorf("reasons (-want +got):\n%s", d)
	}
}

func TestFilesOnceEach(t *testing.T) {
	t.Parallel()
	s := folder(t, retail("*.csv"))
	r := newRig(t, s)
	row := "%s,85123A,HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,UK\n"
	first := retailHead + fmt.Sprintf(row, "1") + fmt.Sprintf(row, "2")
	count := func(want int, when string) {
		t.Helper()
		if got := len(r.records(schemas.TopicOrders)); got != want {
			t.Errorf("%s: %d records, want %d", when, got, want)
		}
	}
	drop(t, s.Dir, "a.csv", first)
	for _, name := range []string{".hidden.csv", "b.csv.tmp", "b.csv.part", "notes.txt"} {
		drop(t, s.Dir, name, first)
	}
	r.look()
	count(2, "first look")
	r.look()
	count(2, "second look")
	drop(t, s.Dir, "again.csv", first)
	r.look()
	count(2, "the same file under another name")
	r.edge = r.newEdge(t.TempDir())
	r.look()
	count(2, "another process")
	drop(t, s.Dir, "a.csv", first+fmt.Sprintf(row, "3"))
	r.look()
	count(5, "a corrected file")
	drop(t, s.Dir, "fresh.csv", retailHead+fmt.Sprintf(row, "4"))
	if err := os.Chtimes(filepath.Join(s.Dir, "fresh.csv"), noon, noon); err != nil {
		t.Fatal(err)
	}
	if !r.look() {
		t.Error("a file that was just written is not left for later")
	}
	count(5, "while it is being written")
	r.now = noon.Add(settle)
	r.look()
	count(6, "when it is settled")
}

func TestFilesWholeFaults(t *testing.T) {
	t.Parallel()
	s := folder(t, retail("*.csv"), topology.FileFormat{Match: "*.json", Type: schemas.OrderUpdated, Columns: map[string]string{"subject": "id"}})
	s.MaxBody = 2000
	r := newRig(t, s)
	for name, content := range map[string]string{
		"columns.csv": "InvoiceNo,StockCode\n1,2\n", "twice.csv": "a,a\n1,2\n", "empty.csv": "\n", "utf16.csv": "\xff\xfeI\x00", "bad.json": `[{"id":1},]`,
		"large.csv": strings.Repeat("x", 3000),
	} {
		drop(t, s.Dir, name, content)
	}
	r.look()
	r.look()
	got := map[string]string{}
	for _, q := range r.quarantined() {
		got[q.File] += q.Reason
	}
	want := map[string]string{
		"columns.csv": `columns.csv: line 1: column "CustomerID", which the source maps to invoice.customer_id, is not in the file; its columns are InvoiceNo, StockCode`,
		"twice.csv":   `twice.csv: line 1: column "a" is there twice`,
		"empty.csv":   `empty.csv: the file is empty`,
		"utf16.csv":   `utf16.csv: the file is UTF-16: export it as UTF-8`,
		"bad.json":    `bad.json: the file is not exact JSON: offset 10: trailing comma`,
		"large.csv":   `large.csv: the file has 3000 bytes, more than max_body (2000) of source erp: split it, or raise max_body`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestFilesJSON(t *testing.T) {
	t.Parallel()
	format := topology.FileFormat{Match: "*.json*", Type: schemas.InventoryLevelSet, Set: map[string]string{"inventory.location_id": "main"}, Columns: map[string]string{
		"inventory.item_id": "item.id", "inventory.available": "available", "time": "at", "source_version": "at"}}
	s := folder(t, format)
	r := newRig(t, s)
	drop(t, s.Dir, "a.json", `[{"item":{"id":271878346596884015},"available":3,"at":"2026-11-02T01:00:00Z"},
		{"item":{"id":"007"},"available":null,"at":"2026-11-02T01:00:00Z","bin":"B-4"}, {"item":{}}]`)
	drop(t, s.Dir, "b.jsonl", "{\"item\":{\"id\":1},\"available\":0}\n\n{\"item\":{\"id\":1},\"available\":1.5}\n{\"item\":\n")
	r.look()
	got := map[string]string{}
	for _, ev := range r.events(schemas.TopicInventory) {
		level := "unknown"
		if ev.Inventory.Available != nil {
			level = fmt.Sprint(*ev.Inventory.Available)
		}
		got[ev.Subject] = level + " " + ev.Extensions["bin"]
	}
	if d := cmp.Diff(map[string]string{"main/271878346596884015": "3 ", "main/007": "unknown B-4", "main/1": "0 "}, got); d != "" {
		t.Errorf("levels (-want +got):\n%s", d)
	}
	reasons := map[string]bool{}
	for _, q := range r.quarantined() {
		reasons[q.Reason] = true
	}
	want := map[string]bool{
		"a.json line 2: the row does not say whom it is about (inventory.location_id and inventory.item_id): fill the cell, or map a column to it": true,
		`b.jsonl line 3: available: a whole number was expected, found "1.5"`:                                                                      true,
		"b.jsonl line 4: the line is not exact JSON: offset 8, item: the document ends early":                                                      true,
	}
	if d := cmp.Diff(want, reasons); d != "" {
		t.Errorf("reasons (-want +got):\n%s", d)
	}
}

// A broker that is away leaves the file undone; the next look takes it.
func TestFilesWaitForKafka(t *testing.T) {
	t.Parallel()
	s := folder(t, retail("*.csv"))
	r := newFaultRig(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	away := produceFault(r, cancel)
	away.Store(true)
	drop(t, s.Dir, "a.csv", retailHead+"1,85123A,HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,UK\n")
	if _, err := r.edge.files[0].look(ctx); err == nil {
		t.Error("the file is done without an acknowledgement")
	}
	away.Store(false)
	r.look()
	if n := len(r.edge.files[0].done); n != 1 {
		t.Errorf("%d files done", n)
	}
	if len(r.events(schemas.TopicOrders)) == 0 {
		t.Error("no event")
	}
}
