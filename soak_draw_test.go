package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
	"time"
)

// drawnPanel is a panel of a dashboard with what Prometheus answered to its expressions.
type drawnPanel struct {
	Type, Title string
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct{ Expr, LegendFormat string }
	FieldConfig struct{ Defaults struct{ Unit string } }

	lines []drawnLine
}

type drawnLine struct {
	legend string
	at     []float64 // Unix seconds
	values []float64
}

// The picture's units: of the dashboards' grid, in pixels.
const gridWide, gridHigh = 46, 26

var inks = []string{"#3b7dd8", "#e0752d", "#2f9e62", "#c4437a", "#8a6fd1", "#b59a1e"}

// draw is a dashboard as an SVG: each panel where Grafana has it, each line of what was measured between two times.
func draw(title string, panels []drawnPanel, from, to time.Time) []byte {
	high := 2
	for _, p := range panels {
		high = max(high, p.GridPos.Y+p.GridPos.H+2)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11" fill="#444">`+"\n", 24*gridWide, high*gridHigh)
	fmt.Fprintf(&out, `<rect width="100%%" height="100%%" fill="#fff"/><text x="8" y="22" font-size="16">%s, %s to %s UTC</text>`+"\n", html.EscapeString(title), from.UTC().Format("2006-01-02 15:04"), to.UTC().Format("15:04"))
	for _, p := range panels {
		x, y, w, h := p.GridPos.X*gridWide, (p.GridPos.Y+2)*gridHigh, p.GridPos.W*gridWide, p.GridPos.H*gridHigh
		if p.Type == "row" {
			fmt.Fprintf(&out, `<text x="%d" y="%d" font-size="13" font-weight="bold">%s</text>`+"\n", x+8, y+18, html.EscapeString(p.Title))
			continue
		}
		fmt.Fprintf(&out, `<g transform="translate(%d %d)"><rect x="3" y="3" width="%d" height="%d" fill="none" stroke="#ddd"/><text x="10" y="18">%s</text>`, x, y, w-6, h-6, html.EscapeString(p.Title))
		p.plot(&out, float64(w), float64(h), from, to)
		out.WriteString("</g>\n")
	}
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// plot draws the lines of a panel from 0 to the most of them, and names the first of them.
func (p *drawnPanel) plot(out *bytes.Buffer, w, h float64, from, to time.Time) {
	const left, right, top, bottom = 48, 10, 28, 42
	most := 0.0
	for _, l := range p.lines {
		for _, v := range l.values {
			most = max(most, v)
		}
	}
	scale := most
	if scale == 0 {
		scale = 1
	}
	fmt.Fprintf(out, `<path d="M%d %dH%.0fM%d %.0fH%.0f" stroke="#eee"/><text x="%d" y="%d" text-anchor="end" font-size="9">%s</text><text x="%d" y="%.0f" text-anchor="end" font-size="9">0</text>`,
		left, top, w-right, left, h-bottom, w-right, left-4, top+4, measure(most, p.FieldConfig.Defaults.Unit), left-4, h-bottom+3)
	for i, l := range p.lines {
		ink := inks[i%len(inks)]
		var d strings.Builder
		for j, v := range l.values {
			move := "L"
			if j == 0 || l.at[j]-l.at[j-1] > 15 { // nobody measured in between
				move = "M"
			}
			fmt.Fprintf(&d, "%s%.1f %.1f", move, left+(l.at[j]-float64(from.Unix()))/to.Sub(from).Seconds()*(w-left-right), h-bottom-v/scale*(h-top-bottom))
		}
		fmt.Fprintf(out, `<path d="%s" fill="none" stroke="%s"/>`, d.String(), ink)
		if i < 4 {
			fmt.Fprintf(out, `<text x="%.0f" y="%.0f" font-size="9" fill="%s">%s</text>`, left+float64(i%2)*(w-left-right)/2, h-26+float64(i/2)*12, ink, html.EscapeString(l.legend))
		}
	}
}

// measure is a value with Grafana's unit.
func measure(v float64, unit string) string {
	suffix := map[string]string{"s": " s", "ops": "/s", "Bps": "B/s", "bytes": "B", "percentunit": ""}[unit]
	for _, p := range []struct {
		of   float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= p.of {
			return strconv.FormatFloat(math.Round(v/p.of*10)/10, 'f', -1, 64) + " " + p.name + strings.TrimSpace(suffix)
		}
	}
	return strconv.FormatFloat(v, 'g', 3, 64) + suffix
}

// legend is a line's name as Grafana makes it.
func legend(format string, labels map[string]string) string {
	for name, value := range labels {
		format = strings.ReplaceAll(format, "{{"+name+"}}", value)
	}
	return format
}
