// What somebody may have meant who gave a name that is not there.
#ifndef MODELVAULT_VAULT_NEAR_NAME_H_
#define MODELVAULT_VAULT_NEAR_NAME_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace modelvault {

// The one of `names` nearest to `name`, or an empty string if none is near. At most a third of the characters differ,
// are missing, are too many or change places with their neighbours; the case of ASCII letters counts only between names
// that are as near, and combining marks do not, so that an accented letter and its decomposed form are at most one
// character apart. Looks at the first 4,096 names, and at none
// of more than 1,024 bytes.
std::string NearestName(absl::string_view name, const std::vector<std::string>& names);

// For the end of a message that `name` is not there: "; there is 'NEAREST'", or nothing if none is near.
std::string NearestNameHint(absl::string_view name, const std::vector<std::string>& names);

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_NEAR_NAME_H_
