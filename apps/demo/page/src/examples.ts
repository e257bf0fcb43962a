/** One example program per bundled language. */
export const EXAMPLES = [
  {
    language: 'core',
    title: 'Core',
    source: `// Uses a package. Run it once, switch the registry outage on, and it still runs.
use std.math

fn isPrime(n: int): bool {
  if n < 2 { return false }
  let d = 2
  while d * d <= n {
    if n % d == 0 { return false }
    d = d + 1
  }
  return true
}

for n from 1 to 30 {
  if isPrime(n) { print(n) }
}
print("gcd of 84 and 36:", math.gcd(84, 36))
`,
  },
  {
    language: 'algol',
    title: 'Algol',
    source: `-- Powers of two.
procedure power(base: integer, n: integer): integer begin
  if n = 0 begin yield 1 end
  yield base * power(base, n - 1)
end

for n in 0 to 10 begin
  write("2 ^ " & show(n) & " = " & show(power(2, n)))
end
`,
  },
  {
    language: 'escuela',
    title: 'Escuela (Spanish)',
    source: `# Los primeros números de Fibonacci.
funcion fib(n: entero): entero inicio
  si n < 2 inicio devuelve n fin
  devuelve fib(n - 1) + fib(n - 2)
fin

para i desde 0 hasta 10 inicio
  escribe("fib", i, fib(i))
fin
`,
  },
] as const;
