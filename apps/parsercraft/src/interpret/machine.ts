import type { Cell, Closure, FunctionCode, Instruction, Value } from './code.ts';
import { OutputLimitError, StepBudgetError } from './errors.ts';
import { Fault, type FaultKind, MAX_CALL_DEPTH } from './faults.ts';
import {
  absolute,
  binaryOperation,
  floor,
  larger,
  lengthOf,
  negate,
  type Scalar,
  smaller,
  substring,
  textOf,
  truncate,
} from './operations.ts';

interface Frame {
  readonly code: FunctionCode;
  readonly slots: (Value | Cell)[];
  readonly captures: readonly Cell[];
  next: number;
}

/** A runtime error and its position. */
interface PlacedFault {
  readonly kind: FaultKind;
  /** `line:column`, prefixed with the package name inside a package. */
  readonly place: string;
}

interface MachineLimits {
  readonly maxSteps: number;
  readonly maxOutputBytes: number;
}

/*
 * What operations cost that take longer than a step, so that the step limit bounds the time of a program.
 * Each is at least the time that it takes by that of a step.
 */
/** One step for each 16 units of a string. */
const STEP_LENGTH_BITS = 4;
/** The text of a float is computed from its exact value, with integers of a thousand bits. */
const FLOAT_TEXT_STEPS = 80;
/** For each bit of an exponent there is a multiplication or two. */
const POWER_BIT_STEPS = 2;

/**
 * A stack machine. It keeps its call frames in an array, so a program cannot exhaust the JavaScript
 * stack, and execution can be suspended between any two steps.
 */
export class Machine {
  readonly #limits: MachineLimits;
  readonly #stack: Value[] = [];
  readonly #frames: Frame[] = [];
  readonly #output: string[] = [];
  #outputBytes = 0;
  steps = 0;
  fault: PlacedFault | undefined;

  constructor(main: FunctionCode, limits: MachineLimits) {
    this.#limits = limits;
    this.#frames.push({ code: main, slots: [], captures: [], next: 0 });
  }

  get output(): string {
    return this.#output.join('');
  }

  /** Runs at most `count` more steps. Returns true when the program has ended. */
  run(count: number): boolean {
    const pause = this.steps + count;
    let at = '';
    try {
      while (this.steps < pause) {
        const frame = this.#frames.at(-1);
        if (frame === undefined) return true;
        const instruction = frame.code.instructions[frame.next] as Instruction;
        frame.next += 1;
        this.#spend(1);
        if ('at' in instruction) at = instruction.at;
        this.#step(instruction, frame);
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.fault = { kind: error.fault, place: at };
      return true;
    }
    return this.#frames.length === 0;
  }

  #step(instruction: Instruction, frame: Frame): void {
    const stack = this.#stack;
    switch (instruction.op) {
      case 'constant':
        stack.push(instruction.value);
        break;
      case 'load':
        stack.push(frame.slots[instruction.slot] as Value);
        break;
      case 'store':
        frame.slots[instruction.slot] = this.#pop();
        break;
      case 'newCell':
        frame.slots[instruction.slot] = { value: this.#pop() };
        break;
      case 'loadCell':
        stack.push((frame.slots[instruction.slot] as Cell).value);
        break;
      case 'storeCell':
        (frame.slots[instruction.slot] as Cell).value = this.#pop();
        break;
      case 'loadCapture':
        stack.push((frame.captures[instruction.capture] as Cell).value);
        break;
      case 'storeCapture':
        (frame.captures[instruction.capture] as Cell).value = this.#pop();
        break;
      case 'pop':
        this.#pop();
        break;
      case 'jump':
        frame.next = instruction.to;
        break;
      case 'jumpUnless':
        if (this.#pop() === false) frame.next = instruction.to;
        break;
      case 'shortcut':
        if (stack.at(-1) === instruction.when) frame.next = instruction.to;
        else this.#pop();
        break;
      case 'not':
        stack.push(this.#pop() === false);
        break;
      case 'negate':
        stack.push(negate(this.#pop() as Scalar));
        break;
      case 'binary': {
        const right = this.#pop() as Scalar;
        const left = this.#pop() as Scalar;
        this.#spendOnText(left, right);
        if (instruction.meaning === 'power') this.#spendOnPower(right as bigint);
        stack.push(binaryOperation(instruction.meaning, left, right));
        break;
      }
      case 'builtin':
        stack.push(
          this.#builtin(instruction, stack.splice(stack.length - instruction.count) as Scalar[]),
        );
        break;
      case 'function':
        stack.push(this.#closure(instruction, frame));
        break;
      case 'call': {
        const slots = stack.splice(stack.length - instruction.count);
        const { code, captures } = this.#pop() as Closure;
        // The frame of the main program does not count as a call.
        if (this.#frames.length > MAX_CALL_DEPTH) throw new Fault('tooDeep');
        this.#frames.push({ code, slots, captures, next: 0 });
        break;
      }
      case 'return':
        this.#frames.pop();
        if (!instruction.value) stack.push(false);
        break;
    }
  }

  #builtin(
    { meaning, words }: Extract<Instruction, { op: 'builtin' }>,
    list: readonly Scalar[],
  ): Value {
    const [first, second, third] = list as readonly [Scalar, Scalar, Scalar];
    this.#spendOnText(...list);
    if (meaning === 'print' || meaning === 'string') this.#spendOnFloats(list);
    switch (meaning) {
      case 'print':
        this.#print(`${list.map((value) => textOf(value, words)).join(' ')}\n`);
        // A call statement always pops one value, so a call without a result pushes a placeholder.
        return false;
      case 'string':
        return textOf(first, words);
      case 'int':
        return truncate(first);
      case 'float':
        return Number(first);
      case 'length':
        return lengthOf(first as string);
      case 'substring':
        return substring(first as string, second as bigint, third as bigint);
      case 'abs':
        return absolute(first);
      case 'min':
        return smaller(first, second);
      case 'max':
        return larger(first, second);
      case 'floor':
        return floor(first as number);
    }
  }

  #closure({ code, captures }: Extract<Instruction, { op: 'function' }>, frame: Frame): Closure {
    return {
      code,
      captures: captures.map(({ from, index }) =>
        from === 'slot' ? (frame.slots[index] as Cell) : (frame.captures[index] as Cell),
      ),
    };
  }

  #print(text: string): void {
    this.#outputBytes += Buffer.byteLength(text);
    const { maxOutputBytes } = this.#limits;
    if (this.#outputBytes > maxOutputBytes) throw new OutputLimitError(maxOutputBytes);
    this.#output.push(text);
  }

  #pop(): Value {
    return this.#stack.pop() as Value;
  }

  /** Operations on long strings cost as many steps as take the time that they take. */
  #spendOnText(...values: readonly Scalar[]): void {
    for (const value of values) {
      if (typeof value === 'string') this.#spend(value.length >> STEP_LENGTH_BITS);
    }
  }

  #spendOnPower(exponent: bigint): void {
    this.#spend(POWER_BIT_STEPS * Math.ceil(Math.log2(Math.abs(Number(exponent)) + 1)));
  }

  #spendOnFloats(values: readonly Scalar[]): void {
    for (const value of values) if (typeof value === 'number') this.#spend(FLOAT_TEXT_STEPS);
  }

  #spend(steps: number): void {
    this.steps += steps;
    if (this.steps > this.#limits.maxSteps) throw new StepBudgetError(this.#limits.maxSteps);
  }
}
