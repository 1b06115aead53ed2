package producers

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// FuzzAuthenticate: whatever stands in the headers of a signature, who does not know the secret is not taken.
func FuzzAuthenticate(f *testing.F) {
	for i := range 5 {
		f.Add(uint8(i), "t=1793620800,v1=00,v1=ff", "1793620800", `{"notificationItems":[{"NotificationRequestItem":{"additionalData":{"hmacSignature":"AAAA"}}}]}`)
		f.Add(uint8(i), "v1,AAAA v1a,AAAA v1,", "-1", `{}`)
	}
	all := []topology.Platform{topology.Shopify, topology.WooCommerce, topology.Stripe, topology.Adyen, topology.StandardWebhooks}
	f.Fuzz(func(t *testing.T, which uint8, signature, stamp, body string) {
		p := all[int(which)%len(all)]
		d := given(p, body)
		for _, name := range []string{"X-Shopify-Hmac-Sha256", "X-Wc-Webhook-Signature", "Stripe-Signature", "Webhook-Signature", "Hmacsignature"} {
			d.header[name] = []string{signature}
		}
		d.header["Webhook-Id"], d.header["Webhook-Timestamp"] = []string{"m"}, []string{stamp}
		platform := platforms[p]
		if err := platform.authenticate(d); err == nil {
			t.Fatal("taken without the secret")
		} else if refusalOf(err) == "" {
			t.Fatalf("%v is no refusal", err)
		}
	})
}

// FuzzFile: no file makes the reader panic; each row is an event that is whole, or a fault with a reason.
func FuzzFile(f *testing.F) {
	f.Add(false, []byte("id,total,at\n1,12.50,2026-11-02T08:00:00Z\n2,\"1\"\"0\",x\n"))
	f.Add(false, []byte("id;total;at\r\n1;\"a\nb\";\r\n"))
	f.Add(true, []byte(`[{"id":"1","total":"2.00","at":"2026-11-02T08:00:00Z"},{"id":null}]`))
	f.Add(true, []byte("{\"id\":1}\n{\"id\":2}\nnot json\n"))
	s := topology.Source{Name: "erp", System: "erp", Platform: topology.Files}
	formats := map[bool]*fileFormat{}
	for json, name := range map[bool]string{false: "*.csv", true: "*.json"} {
		format, err := newFileFormat(topology.FileFormat{Match: name, Type: "order.updated", Currency: "EUR", Columns: map[string]string{"subject": "id", "order.id": "id", "order.total": "total", "time": "at"},
			Rules: []topology.FileRule{{Column: "id", Prefix: "C", Type: "order.cancelled"}}})
		if err != nil {
			f.Fatal(err)
		}
		formats[json] = &format
	}
	f.Fuzz(func(t *testing.T, json bool, content []byte) {
		b := &batchFile{w: &watcher{e: &Edge{}, source: &s}, format: formats[json], name: "x", hash: "h", taken: noon, mtime: noon}
		for r := range formats[json].rows(content) {
			ev, fault := b.event(r)
			switch {
			case fault != nil && fault.Error() == "":
				t.Fatalf("row %d: a fault without a reason", r.number)
			case fault == nil && (ev.ID == "" || ev.Subject == "" || ev.Type == "" || ev.Time.IsZero() || ev.BusinessID == ""):
				t.Fatalf("row %d: an incomplete event: %+v", r.number, ev)
			}
		}
	})
}

// FuzzPolled: no order of a polled API makes its reader panic.
func FuzzPolled(f *testing.F) {
	for _, body := range []string{`{"id":1,"updated_at":"2026-11-02T08:00:00Z","refunds":[{"id":1,"transactions":[{"amount":"1","kind":"refund"}]}]}`,
		`{"id":1,"date_modified_gmt":"2026-11-02T08:00:00","status":"cancelled","refunds":[{"id":1,"total":"-1"}],"currency":"EUR"}`, `{}`, `{"id":{}}`} {
		f.Add(true, []byte(body))
		f.Add(false, []byte(body))
	}
	poller := topology.Source{Name: "poll", Platform: topology.Poll}
	f.Fuzz(func(t *testing.T, shopify bool, body []byte) {
		root, err := parseJSON(body)
		if err != nil {
			return
		}
		of := webhookSource(topology.WooCommerce)
		if shopify {
			of = webhookSource(topology.Shopify)
		}
		p := &poll{source: &poller, speaks: &of}
		r, _ := p.read(&delivery{source: &poller, header: http.Header{}, body: body, received: noon}, root)
		if len(r.events)+len(r.rejects) == 0 {
			t.Fatal("neither event nor reject")
		}
	})
}

// FuzzPrefer: a caller waits between not at all and an hour, whatever it prefers.
func FuzzPrefer(f *testing.F) {
	for _, s := range []string{"wait=5", "respond-async, wait=\"10\"", "wait=-1", "wait=99999999999999999999", "WAIT = 7;x", ",;="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d := preferred(http.Header{"Prefer": {s, s}}); d < 0 || d > time.Hour {
			t.Fatalf("%q waits %s", s, d)
		}
	})
}

// FuzzTicket: a token that we did not sign tells nothing.
func FuzzTicket(f *testing.F) {
	s := webhookSource(topology.Shopify)
	other := s
	other.Secrets = []topology.Secret{"another"}
	f.Add((&waits{}).token(&other, noon, nil, []string{"k"}))
	f.Add("")
	f.Add("e30.")
	f.Add("e30.AAAA.x")
	f.Fuzz(func(t *testing.T, token string) {
		if got, ok := ticketOf(&s, token); ok {
			t.Fatalf("taken: %+v", got)
		}
	})
}

// FuzzSpool: a file of the spool that is not what was written is set aside, and never read as a delivery.
func FuzzSpool(f *testing.F) {
	whole := given(topology.WooCommerce, `{"id":1}`)
	f.Add([]byte(`{"headers":{},"bytes":8,"raw_ref":"` + whole.rawRef() + `"}` + "\n" + `{"id":1}`))
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"headers":{`))
	f.Fuzz(func(t *testing.T, content []byte) {
		root := t.TempDir()
		dir := filepath.Join(root, "spool", "woocommerce")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "00000000000000000001.delivery"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := openSpool(root, "woocommerce")
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.oldest(&inlet{source: whole.source})
		if d != nil && err == nil {
			return
		}
		if _, err := os.Stat(filepath.Join(dir, "00000000000000000001.delivery.damaged")); err != nil || s.depth() != 0 {
			t.Fatalf("neither read nor set aside: %v", err)
		}
	})
}
