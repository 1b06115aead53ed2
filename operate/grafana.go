package operate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// What of Grafana's dashboard JSON is used: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/

type dashboard struct {
	UID           string     `json:"uid"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Tags          []string   `json:"tags"`
	SchemaVersion int        `json:"schemaVersion"`
	Editable      bool       `json:"editable"`
	Timezone      string     `json:"timezone"`
	Refresh       string     `json:"refresh"`
	Time          timeRange  `json:"time"`
	Templating    templating `json:"templating"`
	Links         []dashLink `json:"links"`
	Panels        []panel    `json:"panels"`
}

type timeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type templating struct {
	List []variable `json:"list"`
}

// variable lets people choose the Prometheus.
type variable struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Type  string `json:"type"`
	Query string `json:"query"`
}

type dashLink struct {
	Title       string   `json:"title"`
	Type        string   `json:"type"`
	Tags        []string `json:"tags"`
	AsDropdown  bool     `json:"asDropdown"`
	KeepTime    bool     `json:"keepTime"`
	IncludeVars bool     `json:"includeVars"`
}

type panel struct {
	ID          int          `json:"id"`
	Type        string       `json:"type"`
	Title       string       `json:"title"`
	Description string       `json:"description,omitempty"`
	GridPos     gridPos      `json:"gridPos"`
	Datasource  *datasource  `json:"datasource,omitempty"`
	Targets     []target     `json:"targets,omitempty"`
	FieldConfig *fieldConfig `json:"fieldConfig,omitempty"`
	Collapsed   *bool        `json:"collapsed,omitempty"` // of rows
	Panels      []panel      `json:"panels,omitempty"`
}

// gridPos is in units of a grid 24 wide.
type gridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type target struct {
	RefID        string     `json:"refId"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat"`
	Datasource   datasource `json:"datasource"`
}

type fieldConfig struct {
	Defaults  fieldDefaults `json:"defaults"`
	Overrides []any         `json:"overrides"`
}

type fieldDefaults struct {
	Unit       string      `json:"unit,omitempty"`
	Min        *float64    `json:"min,omitempty"`
	Thresholds *thresholds `json:"thresholds,omitempty"`
	Custom     *custom     `json:"custom,omitempty"`
}

type custom struct {
	ThresholdsStyle thresholdsStyle `json:"thresholdsStyle"`
}

type thresholdsStyle struct {
	Mode string `json:"mode"`
}

type thresholds struct {
	Mode  string          `json:"mode"`
	Steps []thresholdStep `json:"steps"`
}

type thresholdStep struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"` // null: from the lowest
}

// Grafana's units.
const (
	unitSeconds = "s"
	unitRate    = "ops"
	unitShort   = "short"
	unitShare   = "percentunit"
)

var prometheusSource = datasource{Type: "prometheus", UID: "${datasource}"}

// chart is what a panel shows.
type chart struct {
	title, unit string
	limit       float64 // from which on it is red; 0 for none
	lines       []line
}

type line struct{ expr, legend string }

// maxUID is how long a uid may be in Grafana.
const maxUID = 40

// board lays panels out.
type board struct {
	dashboard
	y int
}

func newBoard(uid, title, description string, tags ...string) *board {
	if len(uid) > maxUID {
		sum := sha256.Sum256([]byte(uid))
		uid = uid[:maxUID-9] + "-" + hex.EncodeToString(sum[:4])
	}
	return &board{dashboard: dashboard{UID: uid, Title: title, Description: description, Tags: append([]string{"seam"}, tags...), SchemaVersion: 39, Editable: true, Timezone: "browser", Refresh: "30s",
		Time:       timeRange{From: "now-6h", To: "now"},
		Templating: templating{List: []variable{{Name: "datasource", Label: "Prometheus", Type: "datasource", Query: "prometheus"}}},
		Links:      []dashLink{{Title: "Seam", Type: "dashboards", Tags: []string{"seam"}, AsDropdown: true, KeepTime: true, IncludeVars: true}}}}
}

// row adds a row of charts, four in a line.
func (b *board) row(title string, charts ...chart) {
	const across, width, height = 4, 6, 7
	open := false
	b.add(panel{Type: "row", Title: title, GridPos: gridPos{H: 1, W: 24, Y: b.y}, Collapsed: &open})
	b.y++
	for i, c := range charts {
		p := panel{Type: "timeseries", Title: c.title, GridPos: gridPos{H: height, W: width, X: i % across * width, Y: b.y + i/across*height}, Datasource: &prometheusSource}
		zero := 0.0
		p.FieldConfig = &fieldConfig{Defaults: fieldDefaults{Unit: c.unit, Min: &zero}, Overrides: []any{}}
		if c.limit > 0 {
			p.FieldConfig.Defaults.Thresholds = &thresholds{Mode: "absolute", Steps: []thresholdStep{{Color: "green"}, {Color: "red", Value: &c.limit}}}
			p.FieldConfig.Defaults.Custom = &custom{ThresholdsStyle: thresholdsStyle{Mode: "line"}}
		}
		for j, l := range c.lines {
			p.Targets = append(p.Targets, target{RefID: string(rune('A' + j)), Expr: l.expr, LegendFormat: l.legend, Datasource: prometheusSource})
		}
		b.add(p)
	}
	b.y += (len(charts) + across - 1) / across * height
}

func (b *board) add(p panel) {
	p.ID = len(b.Panels) + 1
	b.Panels = append(b.Panels, p)
}

func (b *board) file() (File, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(b.dashboard); err != nil {
		return File{}, fmt.Errorf("dashboard %s: %w", b.Title, err)
	}
	return File{b.UID + ".json", out.Bytes()}, nil
}
