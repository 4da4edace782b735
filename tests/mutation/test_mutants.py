"""What is mutated and what is not."""

import unittest

import mutants


def changes(text):
    """The mutants of a text: (what is replaced, its replacement)."""
    return [(mutant.was, mutant.replacement) for mutant in mutants.find("x.cc", text)]


def only(text, kind):
    return [(mutant.was, mutant.replacement) for mutant in mutants.find("x.cc", text) if mutant.kind == kind]


class MutantsTest(unittest.TestCase):
    def test_operators(self):
        for was, others in (("+", ["-"]), ("*", ["/"]), ("%", ["*"]), ("<", ["<=", ">="]), (">=", ["<", ">"]),
                            ("==", ["!="]), ("&&", ["||"]), ("|", ["&"]), ("^", ["&"]), ("<<", [">>"]), (">>", ["<<"])):
            with self.subTest(was):
                self.assertCountEqual(changes(f"return a {was} b;"), [(was, other) for other in others])
        self.assertIn(("+=", "-="), changes("a += b;"))
        self.assertIn(("<<=", ">>="), changes("a <<= b;"))
        self.assertIn(("++", "--"), changes("for (; f(a); ++a) g();"))

    def test_unary_operators(self):
        self.assertEqual(changes("return !a;"), [("!", "")])
        self.assertEqual(changes("return ~a & -b;"), [("~", ""), ("&", "|"), ("-", "")])
        self.assertEqual(changes("f(*p, &q);"), [])

    def test_constants(self):
        self.assertEqual(changes("return 0;"), [("0", "1")])
        self.assertEqual(changes("return 7u;"), [("7u", "6u"), ("7u", "8u")])
        self.assertEqual(changes("return 0x1F;"), [("0x1F", "0x1E"), ("0x1F", "0x20")])
        self.assertEqual(changes("return 0b11'01;"), [("0b11'01", "12"), ("0b11'01", "14")])
        self.assertEqual(changes("return true;"), [("true", "false")])
        self.assertEqual(changes("return x1 + kA2;"), [("+", "-")])

    def test_statements(self):
        self.assertEqual(only("{\n  a = b;\n  int c = d;\n  const T e = f;\n  *p = 0;\n  s->n[i] += 2;\n  ++k;\n}", "statement"),
                         [("a = b;", ";"), ("*p = 0;", ";"), ("s->n[i] += 2;", ";"), ("++k;", ";")])
        self.assertEqual(only("  if (a) b = c;\n", "statement"), [("b = c;", ";")])
        self.assertEqual(only("for (i = 0; i < n; i += 2) f(i);", "statement"), [])

    def test_checks(self):
        for check in ("if (f(a, (b))) return false;", "if (a > b) {\n    return kBad;\n  }", "if (a) return;"):
            with self.subTest(check):
                self.assertEqual(only("{\n  " + check + "\n  g();\n}", "check"), [(check, ";")])
        self.assertEqual(only("{\n  if (a) b();\n  if (c) return 1; else d();\n}", "check"), [])

    def test_what_is_left_alone(self):
        for text in ("// a + 1", "/* a + 1\n b == 2 */", "#include <a/b.h>\n", "#define X \\\n  (1 + 2)\n", 'f("a + 1");',
                     "f('+');", "static_assert(sizeof(a) == 4);", "[[gnu::aligned(4)]] x y;", "static_cast<uint32_t>(a);",
                     "if (__builtin_expect(f(a), 1)) g();", "h(__builtin_assume_aligned(p, 4));", "const uint8_t* p;", "void f(T&& a, U& b);", "template <typename T> void f();"):
            with self.subTest(text):
                self.assertEqual(changes(text), [])

    def test_a_mutant_changes_nothing_else(self):
        text = "int f(int a) {\n  // Why.\n  if (a < 3) return 1;\n  return a + 2;\n}\n"
        for mutant in mutants.find("x.cc", text):
            changed = mutant.apply(text)
            self.assertEqual(changed, text[: mutant.start] + mutant.replacement + text[mutant.end:])
            self.assertEqual(text[mutant.start: mutant.end], mutant.was)
            self.assertNotEqual(changed, text)
            self.assertIn("// Why.", changed)

    def test_names_outlive_moves_and_tell_equal_lines_apart(self):
        line = "  a = b + 1;\n"
        names = [mutant.name for mutant in mutants.find("x.cc", "{\n" + line + line + "}\n")]
        self.assertEqual(len(set(names)), len(names))
        moved = [mutant.name for mutant in mutants.find("x.cc", "\n\n{\n" + line + "}\n")]
        self.assertEqual(moved, names[: len(moved)])


if __name__ == "__main__":
    unittest.main()
