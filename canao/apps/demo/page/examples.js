// Texts and beginnings to try. The texts are JSON too, which other programs read.

export const TEXTS = [
  {
    "title": "Apollo 11",
    "text": "Apollo 11 was the first space flight that landed people on the Moon. It was launched by a Saturn V rocket from Kennedy Space Center in Florida on 16 July 1969. Four days later, on 20 July, commander Neil Armstrong and lunar module pilot Buzz Aldrin landed the lunar module Eagle in the Sea of Tranquility, while Michael Collins stayed in orbit around the Moon in the command module Columbia. Armstrong was the first to step onto the surface; Aldrin joined him 19 minutes later. They spent about two and a half hours outside and collected 21.5 kilograms of rocks and soil to bring back to Earth. The three astronauts returned on 24 July, when Columbia splashed down in the Pacific Ocean and was picked up by the aircraft carrier USS Hornet.",
    "questions": [
      "Who was the first to step onto the surface?",
      "Where did the Eagle land?",
      "Who stayed in orbit?",
      "How much rock did they collect?",
      "What did the flight cost?"
    ]
  },
  {
    "title": "Marie Curie",
    "text": "Marie Curie was a physicist and chemist who did pioneering research on radioactivity. She was born as Maria Sk\u0142odowska in Warsaw on 7 November 1867 and moved to Paris in 1891 to study at the Sorbonne. With her husband Pierre Curie she discovered two elements in 1898: polonium, which they named after her native country, and radium. In 1903 she became the first woman to win a Nobel Prize, the one in physics, which she shared with Pierre Curie and Henri Becquerel. She won the Nobel Prize in Chemistry in 1911 and is still the only person who has won Nobel Prizes in two different sciences. During the First World War she equipped vans with X-ray machines to help surgeons near the front. She died in 1934 of aplastic anaemia, probably caused by her long work with radiation.",
    "questions": [
      "Where was Marie Curie born?",
      "What was polonium named after?",
      "Who shared the Nobel Prize in physics?",
      "When did she move to Paris?",
      "How did she help surgeons?"
    ]
  },
  {
    "title": "Mount Everest",
    "text": "Mount Everest is the highest mountain on Earth above sea level. It stands in the Himalayas, on the border between Nepal and China, and its height was given as 8,848.86 metres by both countries in 2020. Tibetans call the mountain Qomolangma, and its Nepali name is Sagarmatha. The English name was chosen in 1865 in honour of George Everest, a former Surveyor General of India. Edmund Hillary, a beekeeper from New Zealand, and Tenzing Norgay, a Sherpa, were the first who are known to have reached the summit, on 29 May 1953. Most climbers go up from Nepal over the South Col in spring, when the winds of the jet stream are weakest. Above 8,000 metres, in what climbers call the death zone, the air holds about a third of the oxygen that it has at sea level, so most of them breathe oxygen from bottles.",
    "questions": [
      "How high is Mount Everest?",
      "Who reached the summit first?",
      "What is the Nepali name of the mountain?",
      "Whom is Everest named after?",
      "What is the death zone?"
    ]
  }
];

export const STARTS = [
  "Once upon a time",
  "The capital of France is",
  "To make a good cup of tea, first",
  "The ocean is blue because",
];
