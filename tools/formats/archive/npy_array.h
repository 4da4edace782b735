// Arrays as NumPy stores them (.npy): a magic, a version, a header of text, the elements.
#ifndef MODELVAULT_TOOLS_FORMATS_ARCHIVE_NPY_ARRAY_H_
#define MODELVAULT_TOOLS_FORMATS_ARCHIVE_NPY_ARRAY_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tools/formats/described/described_format.h"
#include "vault/file_system.h"

namespace modelvault {

// Whether these are the first bytes of an array.
bool BeginsNpy(absl::Span<const uint8_t> head);

// The elements of the array that begins at `begin` of `file` and ends within `size` bytes, a range of the file; what
// follows them there is not its own. Little-endian numbers and booleans are typed, others opaque elements called what
// NumPy calls them; an array in Fortran's order has its shape backwards. kInvalidArgument, naming the file, the tensor
// and the offset, for what is no such array, and for one of objects, which are pickled.
absl::StatusOr<TypedRange> ReadNpy(const RandomAccessFile& file, std::string name, uint64_t begin, uint64_t size);

}  // namespace modelvault

#endif  // MODELVAULT_TOOLS_FORMATS_ARCHIVE_NPY_ARRAY_H_
