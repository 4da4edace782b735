// Columns of text.
#ifndef MODELVAULT_TOOLS_MVAULT_CLI_TEXT_TABLE_H_
#define MODELVAULT_TOOLS_MVAULT_CLI_TEXT_TABLE_H_

#include <string>
#include <vector>

namespace modelvault {

// Rows whose cells line up: a column is as wide as its widest cell. Cells are to be printable text.
class TextTable {
 public:
  // The headings; those that begin with '>' stand for columns of numbers, which are aligned to the right.
  explicit TextTable(std::vector<std::string> headings);

  // As many cells as there are headings.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  std::string Format() const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_MVAULT_CLI_TEXT_TABLE_H_
