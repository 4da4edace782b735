#ifndef MODELVAULT_CODEC_HOST_REUSABLE_H_
#define MODELVAULT_CODEC_HOST_REUSABLE_H_

#include <cstddef>
#include <vector>

namespace modelvault {

// Memory that grows to what was asked of it. What it holds from before is of no meaning.
template <class T>
class Reusable {
 public:
  // At least `size` of them.
  T* Get(size_t size) {
    if (memory_.size() < size) memory_.resize(size);
    return memory_.data();
  }

 private:
  std::vector<T> memory_;
};

}  // namespace modelvault

#endif  // MODELVAULT_CODEC_HOST_REUSABLE_H_
