// FitToHtml of tools/mvault/reports/fit_report.h.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/reports/fit_report.h"

namespace modelvault {
namespace {

constexpr char kStyle[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.15em .8em;text-align:left;border-bottom:1px solid #ddd}"
    ".n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}svg{width:100%;font-size:11px}"
    ".grid{stroke:#e4e4e4}.axis{stroke:#444}.all{fill:#cfe0f3}.left{fill:#c2452d}.dot{fill:#134f91}"
    ".curve{fill:none;stroke:#134f91;stroke-width:2}.note{background:#fff6da;padding:.4em .8em}"
    ".big{font-size:1.7em;font-weight:600}.tile{display:inline-block;margin:0 2.2em 1em 0;vertical-align:top}";

std::string Tile(const std::string& big, const std::string& small) {
  return absl::StrCat("<div class=\"tile\"><div class=\"big\">", big, "</div>", small, "</div>\n");
}

// A line each: how much there was to keep (pale), and how much of it is left undone (red).
struct Bar {
  std::string name;
  double signal;
  double remaining;
  std::string label;
};

std::string Bars(const std::vector<Bar>& bars, const char* what) {
  constexpr double kLeft = 230, kWidth = 470, kLine = 15;
  double most = 1e-300;
  for (const Bar& b : bars) most = std::max({most, b.signal, b.remaining});
  const double height = kLine * static_cast<double>(bars.size()) + 8;
  std::string svg = absl::StrFormat("<svg viewBox=\"0 0 900 %.0f\" role=\"img\" aria-label=\"%s\">\n", height, what);
  double y = 4;
  for (const Bar& b : bars) {
    absl::StrAppendFormat(&svg,
                          "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%s</text>"
                          "<rect class=\"all\" x=\"%.0f\" y=\"%.1f\" width=\"%.1f\" height=\"11\"/>"
                          "<rect class=\"left\" x=\"%.0f\" y=\"%.1f\" width=\"%.1f\" height=\"11\"/>"
                          "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n",
                          kLeft - 8, y + 10, EscapedForHtml(Printable(b.name)), kLeft, y, kWidth * b.signal / most,
                          kLeft, y, kWidth * b.remaining / most,
                          kLeft + kWidth * std::max(b.signal, b.remaining) / most + 6, y + 10, EscapedForHtml(b.label));
    y += kLine;
  }
  return absl::StrCat(svg, "</svg>\n");
}

// Predicted loss over budget.
std::string Curve(const FitReport& r) {
  constexpr double kLeft = 90, kTop = 16, kWidth = 700, kHeight = 220;
  double most_budget = 0;
  double most_loss = 0;
  for (const CurvePoint& p : r.curve) {
    most_budget = std::max(most_budget, p.budget);
    most_loss = std::max(most_loss, p.remaining);
  }
  if (!(most_budget > 0) || !(most_loss > 0)) return "";
  const auto x = [&](double budget) { return kLeft + kWidth * budget / most_budget; };
  const auto y = [&](double loss) { return kTop + kHeight * (1 - loss / (1.1 * most_loss)); };
  std::string svg = "<svg viewBox=\"0 0 900 280\" role=\"img\" aria-label=\"predicted loss over budget\">\n";
  for (int i = 0; i <= 4; ++i) {
    const double loss = 1.1 * most_loss * i / 4;
    absl::StrAppendFormat(&svg,
                          "<line class=\"%s\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                          "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n",
                          i == 0 ? "axis" : "grid", kLeft, kLeft + kWidth, y(loss), y(loss), kLeft - 8, y(loss) + 4,
                          loss);
  }
  std::string line;
  for (const CurvePoint& p : r.curve) {
    absl::StrAppendFormat(&line, "%s%.1f %.1f", line.empty() ? "M" : " L", x(p.budget), y(p.remaining));
    absl::StrAppendFormat(&svg,
                          "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>"
                          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>"
                          "<text x=\"%.1f\" y=\"%.1f\">%.4g</text>\n",
                          x(p.budget), y(p.remaining), x(p.budget), kTop + kHeight + 18,
                          Grouped(static_cast<uint64_t>(p.budget)), x(p.budget) + 7, y(p.remaining) - 6, p.remaining);
  }
  absl::StrAppend(&svg, "<path class=\"curve\" d=\"", line, "\"/>\n<text x=\"440\" y=\"272\" text-anchor=\"middle\">",
                  "bytes of the vault</text></svg>\n");
  return svg;
}

// Where an axis begins and the distance of its marks: four or five of them, at 1, 2 or 5 times a power of ten.
struct Marks {
  double begin, step;
  int count;

  double end() const { return begin + step * count; }
};

Marks MarksFor(double least, double most) {
  const double width = std::max(most - least, std::max(std::abs(most), 1e-9) * 0.01) / 4;
  double step = std::pow(10, std::floor(std::log10(width)));
  for (const double factor : {5.0, 2.0}) {
    if (step * factor <= width) {
      step *= factor;
      break;
    }
  }
  const double begin = std::floor(least / step) * step;
  return {begin, step, std::max(1, static_cast<int>(std::ceil((most - begin) / step)))};
}

// Bytes of a variant against what it keeps: a dot each.
std::string Scatter(const FitReport& r) {
  constexpr double kLeft = 90, kTop = 10, kWidth = 700, kHeight = 240;
  if (r.variants.empty()) return "";
  double least_bytes = HUGE_VAL, most_bytes = 0, least_kept = 100, most_kept = 0;
  for (const VariantReport& v : r.variants) {
    least_bytes = std::min(least_bytes, static_cast<double>(v.bytes));
    most_bytes = std::max(most_bytes, static_cast<double>(v.bytes));
    least_kept = std::min(least_kept, 100 * v.kept);
    most_kept = std::max(most_kept, 100 * v.kept);
  }
  const Marks across = MarksFor(least_bytes, most_bytes);
  const Marks up = MarksFor(least_kept, most_kept);
  const auto x = [&](double bytes) { return kLeft + kWidth * (bytes - across.begin) / (across.end() - across.begin); };
  const auto y = [&](double kept) { return kTop + kHeight * (1 - (kept - up.begin) / (up.end() - up.begin)); };
  std::string svg = "<svg viewBox=\"0 0 900 300\" role=\"img\" aria-label=\"bytes and signal kept\">\n";
  for (int i = 0; i <= up.count; ++i) {
    const double kept = up.begin + up.step * i;
    absl::StrAppendFormat(&svg,
                          "<line class=\"%s\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                          "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%.3g %%</text>\n",
                          i == 0 ? "axis" : "grid", kLeft, kLeft + kWidth, y(kept), y(kept), kLeft - 8, y(kept) + 4,
                          kept);
  }
  for (int i = 0; i <= across.count; ++i) {
    const double bytes = across.begin + across.step * i;
    absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", x(bytes),
                          kTop + kHeight + 18, Grouped(static_cast<uint64_t>(std::max(0.0, bytes))));
  }
  for (const VariantReport& v : r.variants) {
    absl::StrAppendFormat(&svg, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"><title>%s</title></circle>\n",
                          x(static_cast<double>(v.bytes)), y(100 * v.kept), EscapedForHtml(Printable(v.name)));
  }
  return absl::StrCat(
      svg, "<text x=\"440\" y=\"292\" text-anchor=\"middle\">bytes of the variant; signal kept</text></svg>\n");
}

std::string VariantTable(const FitReport& r) {
  std::string html =
      "<table>\n<tr><th>variant</th><th class=\"n\">bytes</th><th class=\"n\">bits a weight</th>"
      "<th class=\"n\">differ</th><th class=\"n\">predicted loss</th><th class=\"n\">kept</th>"
      "<th>most is left in</th></tr>\n";
  for (const VariantReport& v : r.variants) {
    std::string worst;
    for (const TensorReport& t : v.worst_tensors) {
      absl::StrAppendFormat(&worst, "%s%s (%.0f %% kept)", worst.empty() ? "" : ", ", Printable(t.name), 100 * t.kept);
    }
    absl::StrAppendFormat(&html,
                          "<tr><td>%s</td><td class=\"n\">%s</td><td class=\"n\">%.3f</td><td class=\"n\">%.2f %%</td>"
                          "<td class=\"n\">%.4g</td><td class=\"n\">%.1f %%</td><td>%s</td></tr>\n",
                          EscapedForHtml(Printable(v.name)), Grouped(v.bytes), v.bits_per_weight, 100 * v.density,
                          v.remaining, 100 * v.kept, EscapedForHtml(worst));
  }
  return absl::StrCat(html, "</table>\n");
}

}  // namespace

std::string FitToHtml(const FitReport& r) {
  std::vector<Bar> variants, tensors;
  for (const VariantReport& v : r.variants) {
    variants.push_back(
        {v.name, v.signal, v.remaining, absl::StrFormat("%.0f %% kept, %s bytes", 100 * v.kept, Grouped(v.bytes))});
  }
  for (const TensorReport& t : r.tensors) {
    tensors.push_back({t.name, t.signal, t.remaining,
                       absl::StrFormat("%.0f %% kept, %.2f %% differ, %s", 100 * t.kept, 100 * t.density, t.metric)});
  }
  const auto worst_first = [](const Bar& a, const Bar& b) { return a.remaining > b.remaining; };
  std::stable_sort(variants.begin(), variants.end(), worst_first);
  std::stable_sort(tensors.begin(), tensors.end(), worst_first);
  const std::string title = EscapedForHtml(Printable(r.vault));
  std::string html =
      absl::StrCat("<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>mvault fit: ", title,
                   "</title>\n<style>", kStyle, "</style>\n<h1>", title, "</h1>\n");
  absl::StrAppend(&html, Tile(Grouped(r.bytes), absl::StrCat("bytes, of ", Grouped(r.budget))),
                  Tile(absl::StrCat(r.variants.size()), "variants"),
                  Tile(absl::StrFormat("%.1f %%", 100 * r.kept), "of the signal kept"),
                  Tile(absl::StrFormat("%.4g", r.remaining), "predicted loss a variant"),
                  Tile(absl::StrFormat("%.0f&times;", static_cast<double>(r.float_bytes) /
                                                          static_cast<double>(std::max<uint64_t>(1, r.bytes))),
                       "smaller than the float files"));
  absl::StrAppend(
      &html, "<p>Base ", Grouped(r.base_bytes), " bytes, tables and shared priors ", Grouped(r.model_bytes),
      ". A bit costs ", absl::StrFormat("%.4g", r.lambda), " (found after ", r.fits, " fits and ", r.trials,
      " of a few variants). Predicted loss is half the curvature's quadratic form at the error that is left; where the "
      "curvature is the Fisher information it is in nats a token.</p>\n");
  for (const std::string& note : r.notes)
    absl::StrAppend(&html, "<p class=\"note\">", EscapedForHtml(Printable(note)), "</p>\n");
  if (!r.curve.empty())
    absl::StrAppend(&html, "<h2>What more or less room would give</h2>\n", Curve(r),
                    "<p>Predicted loss a variant, the base as it is. Budgets that its bytes alone "
                    "take are left out.</p>\n");
  absl::StrAppend(&html, "<h2>Bytes and what they keep, a dot a variant</h2>\n", Scatter(r),
                  "<h2>Variants: signal (pale), and what is left of it undone (red)</h2>\n", Bars(variants, "variants"),
                  "<h2>Tensors, means over the variants</h2>\n", Bars(tensors, "tensors"), "<h2>All figures</h2>\n",
                  VariantTable(r), "</html>\n");
  return html;
}

}  // namespace modelvault
