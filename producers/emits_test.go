package producers

import (
	"os"
	"regexp"
	"testing"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// TestPlatformsEmit holds what topology says that a platform may send to the types that its files make.
func TestPlatformsEmit(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	types := map[string]schemas.EventType{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+)\s+EventType = "([a-z_.]+)"`).FindAllStringSubmatch(read("../schemas/event.go"), -1) {
		types[m[1]] = schemas.EventType(m[2])
	}
	if len(types) < len(schemas.EventTypes) {
		t.Fatalf("found %d types in schemas/event.go", len(types))
	}
	for platform, files := range map[topology.Platform][]string{
		topology.Shopify:     {"shopify.go", "shopify_order.go", "shopify_parts.go"},
		topology.WooCommerce: {"woocommerce.go", "facts.go"},
		topology.Stripe:      {"stripe.go"},
		topology.Adyen:       {"adyen.go"},
		topology.Poll:        {"poll.go", "facts.go"},
	} {
		source := topology.Source{Platform: platform, Emits: platform.Facts().Emits}
		for _, name := range files {
			for _, m := range regexp.MustCompile(`schemas\.(\w+)`).FindAllStringSubmatch(read(name), -1) {
				if et, ok := types[m[1]]; ok && !source.May(et) {
					t.Errorf("%s makes %s, and topology says that %s does not send it", name, et, platform)
				}
			}
		}
		if refunds := platform != topology.Adyen; refunds {
			for _, et := range refundTypes {
				if !source.May(et) {
					t.Errorf("topology says that %s does not send %s", platform, et)
				}
			}
		}
	}
}
