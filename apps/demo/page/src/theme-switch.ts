import { byId, setText } from './dom.ts';

const CHOICES = ['auto', 'light', 'dark'] as const;
type Choice = (typeof CHOICES)[number];

const WORDS: Readonly<Record<Choice, readonly [string, string]>> = {
  auto: ['Theme: auto', 'Theme: auto (system setting)'],
  light: ['Theme: light', 'Theme: light'],
  dark: ['Theme: dark', 'Theme: dark'],
};

/** Cycles through auto, light and dark; calls `changed` after each change. */
export function themeSwitch(changed: () => void): void {
  const element = byId('theme');
  let choice = (document.documentElement.dataset.theme ?? 'auto') as Choice;
  const show = (): void => {
    const [text, label] = WORDS[choice];
    setText(element, text);
    element.setAttribute('aria-label', label);
  };
  element.addEventListener('click', () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length] ?? 'auto';
    if (choice === 'auto') {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem('theme');
    } else {
      document.documentElement.dataset.theme = choice;
      localStorage.setItem('theme', choice);
    }
    show();
    changed();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
  show();
}
