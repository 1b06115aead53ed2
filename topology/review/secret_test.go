package review

import (
	"slices"
	"strings"
	"testing"
)

// TestSecrets: wherever a secret is written out, it is found, and the report does not show it.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const secret = "3f1c9a77d0b2"
	for _, changes := range []string{
		"integrations/fraud.yaml: {deliver/0/http/auth: {header: X-Api-Key, value: SECRET}}",
		`integrations/fraud.yaml: {deliver/0/http/auth/bearer: "${FRAUD_TOKEN:-SECRET}"}`,
		`integrations/fraud.yaml: {deliver/0/http/headers/Authorization: "Bearer SECRET"}`,
		`integrations/fraud.yaml: {deliver/0/http/url: "https://seam:SECRET@fraud.shop.net/v1"}`,
		`sources/shopify-poll.yaml: {token: SECRET}`,
		`sources/shopify.yaml: {secrets: ["${SHOPIFY_SECRET:-}", "SECRET"]}`,
	} {
		report := Folder(overlay(t, strings.ReplaceAll(changes, "SECRET", secret)), nothing, today)
		if !slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Rule == "secret-in-file" }) {
			t.Errorf("not found: %s", changes)
		}
		var b strings.Builder
		if err := report.JSON(&b); err != nil || strings.Contains(b.String(), secret) {
			t.Errorf("the report shows the secret of %s (%v)", changes, err)
		}
	}
}

// TestMisplaced: which addresses and keys belong to another environment.
func TestMisplaced(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{ // the environments that it is foreign to
		"api.shop.net": "", "prod.shop.net": "staging", "erp-prod.shop.net": "staging", "api.live.shop.net": "staging", "live-chat.shop.net": "",
		"staging.shop.net": "production", "erp-sandbox.shop.net": "production", "dev-tools.shop.net": "", "dev.shop.net": "production", "products.shop.net": "",
	} {
		got := ""
		for _, environment := range []string{"staging", "production"} {
			if misplaced(environment, labelsOf(host)) {
				got += environment
			}
		}
		if got != want {
			t.Errorf("%s is foreign to %q, want %q", host, got, want)
		}
	}
	for key, want := range map[string]bool{"sk_live_4eC39": true, "sk_test_4eC39": false, "abc": false, "": false, "live": false} {
		if got := misplaced("staging", keyWords(key)); got != want {
			t.Errorf("%q in staging: %v, want %v", key, got, want)
		}
	}
}
