//! The words of templates, by language.

use mercurious_contracts::MealKind;
use mercurious_itinerary::itinerary::Reason;

/// The words of one language. `{}` is where something is put.
#[derive(Debug, PartialEq, Eq)]
pub struct Phrases {
    /// Its two letters.
    pub language: &'static str,
    pub(super) day_in: &'static str,
    pub(super) days_in: &'static str,
    pub(super) and: &'static str,
    pub(super) more: &'static str,
    pub(super) arrival: &'static str,
    pub(super) leisure: &'static str,
    pub(super) nothing: &'static str,
    pub(super) summary: &'static str,
    pub(super) parts: [&'static str; 3],
    pub(super) weather: &'static str,
    pub(super) usually: &'static str,
    pub(super) rain: &'static str,
    pub(super) holiday: &'static str,
    pub(super) estimates: &'static str,
    pub(crate) asked_for: &'static str,
    pub(crate) transfer: &'static str,
    meals: [&'static str; 3],
    /// In the order of [`Reason`].
    reasons: [&'static str; 15],
}

impl Phrases {
    /// Those of a language tag; English where there are no others.
    pub fn of(language: &str) -> &'static Self {
        let first = language.split('-').next().unwrap_or_default().to_ascii_lowercase();
        ALL.iter().find(|phrases| phrases.language == first).unwrap_or(&ALL[0])
    }

    /// A meal's name.
    pub fn meal(&self, meal: MealKind) -> &'static str {
        self.meals[match meal {
            MealKind::Breakfast => 0,
            MealKind::Lunch => 1,
            MealKind::Dinner => 2,
        }]
    }

    /// Why something is not in the plan.
    pub fn reason(&self, reason: Reason) -> &'static str {
        self.reasons[match reason {
            Reason::Unknown => 0,
            Reason::Avoided => 1,
            Reason::OtherArea => 2,
            Reason::LacksNeed => 3,
            Reason::NoMeal => 4,
            Reason::Closed => 5,
            Reason::Unreachable => 6,
            Reason::TooFar => 7,
            Reason::ConflictsWithFixed => 8,
            Reason::NoRoom => 9,
            Reason::PaceFull => 10,
            Reason::CategoryFull => 11,
            Reason::TooMuchWalking => 12,
            Reason::OutOfBudget => 13,
            Reason::OutsideDay => 14,
        }]
    }
}

const ALL: [Phrases; 6] = [
    Phrases {
        language: "en",
        day_in: "One day in {}",
        days_in: "{} days in {}",
        and: "and",
        more: "{} and more",
        arrival: "Arrival",
        leisure: "A day at leisure",
        nothing: "Nothing is planned: the day is yours.",
        summary: "{} places in {} days.",
        parts: ["Morning", "Afternoon", "Evening"],
        weather: "Forecast: {} to {} °C.",
        usually: "Usually {} to {} °C.",
        rain: "Rain is likely.",
        holiday: "Public holiday: {}.",
        estimates: "Hours and prices are estimates.",
        asked_for: "you asked for it",
        transfer: "the way to the day's end",
        meals: ["breakfast", "lunch", "dinner"],
        reasons: [
            "no such place is known",
            "it is on the list of what to avoid",
            "no day is spent in its area",
            "it lacks something that is needed",
            "no day has such a meal left",
            "it is not open long enough on any of the days",
            "no way leads there and on",
            "it cannot be reached in its hours and left in time",
            "it does not go together with what is fixed",
            "there is no time left for it",
            "the days are as full as the pace allows",
            "the days hold enough of its kind",
            "one would walk further than wanted",
            "there is no money left for it",
            "it does not lie within its day",
        ],
    },
    Phrases {
        language: "fr",
        day_in: "Une journée à {}",
        days_in: "{} jours à {}",
        and: "et",
        more: "{} et plus",
        arrival: "Arrivée",
        leisure: "Journée libre",
        nothing: "Rien n'est prévu : la journée est à vous.",
        summary: "{} lieux en {} jours.",
        parts: ["Matin", "Après-midi", "Soir"],
        weather: "Prévisions : {} à {} °C.",
        usually: "D'habitude {} à {} °C.",
        rain: "Pluie probable.",
        holiday: "Jour férié : {}.",
        estimates: "Les horaires et les prix sont des estimations.",
        asked_for: "à votre demande",
        transfer: "le trajet vers la fin de la journée",
        meals: ["petit-déjeuner", "déjeuner", "dîner"],
        reasons: [
            "aucun lieu de ce nom n'est connu",
            "il est sur la liste à éviter",
            "aucun jour ne se passe dans sa zone",
            "il lui manque quelque chose de nécessaire",
            "plus aucun jour n'a un tel repas",
            "il n'est assez longtemps ouvert aucun des jours",
            "aucun chemin n'y mène",
            "on ne peut l'atteindre et le quitter à temps",
            "il est incompatible avec ce qui est fixé",
            "il ne reste plus de temps",
            "les jours sont aussi remplis que le rythme le permet",
            "les jours en contiennent assez de ce genre",
            "il faudrait marcher plus que souhaité",
            "il ne reste plus d'argent",
            "il sort des limites de la journée",
        ],
    },
    Phrases {
        language: "de",
        day_in: "Ein Tag in {}",
        days_in: "{} Tage in {}",
        and: "und",
        more: "{} und mehr",
        arrival: "Ankunft",
        leisure: "Ein freier Tag",
        nothing: "Nichts ist geplant: Der Tag gehört Ihnen.",
        summary: "{} Orte in {} Tagen.",
        parts: ["Vormittag", "Nachmittag", "Abend"],
        weather: "Vorhersage: {} bis {} °C.",
        usually: "Üblich sind {} bis {} °C.",
        rain: "Regen ist wahrscheinlich.",
        holiday: "Feiertag: {}.",
        estimates: "Öffnungszeiten und Preise sind Schätzungen.",
        asked_for: "auf Ihren Wunsch",
        transfer: "der Weg zum Ende des Tages",
        meals: ["Frühstück", "Mittagessen", "Abendessen"],
        reasons: [
            "kein solcher Ort ist bekannt",
            "er steht auf der Liste dessen, was gemieden wird",
            "kein Tag wird in seiner Gegend verbracht",
            "ihm fehlt etwas, das gebraucht wird",
            "kein Tag hat noch eine solche Mahlzeit",
            "an keinem der Tage ist lange genug geöffnet",
            "kein Weg führt hin und weiter",
            "er ist nicht rechtzeitig zu erreichen und zu verlassen",
            "er verträgt sich nicht mit dem, was feststeht",
            "es ist keine Zeit mehr dafür",
            "die Tage sind so voll, wie das Tempo erlaubt",
            "die Tage haben genug von dieser Art",
            "man müsste weiter gehen als gewünscht",
            "es ist kein Geld mehr dafür da",
            "er liegt nicht innerhalb seines Tages",
        ],
    },
    Phrases {
        language: "es",
        day_in: "Un día en {}",
        days_in: "{} días en {}",
        and: "y",
        more: "{} y más",
        arrival: "Llegada",
        leisure: "Día libre",
        nothing: "No hay nada previsto: el día es suyo.",
        summary: "{} lugares en {} días.",
        parts: ["Mañana", "Tarde", "Noche"],
        weather: "Previsión: de {} a {} °C.",
        usually: "Lo habitual: de {} a {} °C.",
        rain: "Es probable que llueva.",
        holiday: "Día festivo: {}.",
        estimates: "Los horarios y los precios son estimaciones.",
        asked_for: "a petición suya",
        transfer: "el camino hasta el final del día",
        meals: ["desayuno", "almuerzo", "cena"],
        reasons: [
            "no se conoce ningún lugar así",
            "está en la lista de lo que se evita",
            "ningún día se pasa en su zona",
            "le falta algo necesario",
            "ningún día tiene ya esa comida",
            "ningún día abre lo suficiente",
            "ningún camino lleva hasta allí",
            "no se puede llegar y salir a tiempo",
            "no es compatible con lo que está fijado",
            "no queda tiempo",
            "los días están tan llenos como permite el ritmo",
            "los días tienen suficiente de ese tipo",
            "habría que caminar más de lo deseado",
            "no queda dinero",
            "no cabe en los límites del día",
        ],
    },
    Phrases {
        language: "it",
        day_in: "Un giorno a {}",
        days_in: "{} giorni a {}",
        and: "e",
        more: "{} e altro",
        arrival: "Arrivo",
        leisure: "Giornata libera",
        nothing: "Nulla è previsto: la giornata è vostra.",
        summary: "{} luoghi in {} giorni.",
        parts: ["Mattina", "Pomeriggio", "Sera"],
        weather: "Previsioni: da {} a {} °C.",
        usually: "Di solito da {} a {} °C.",
        rain: "Pioggia probabile.",
        holiday: "Giorno festivo: {}.",
        estimates: "Orari e prezzi sono stime.",
        asked_for: "su vostra richiesta",
        transfer: "il tragitto fino alla fine della giornata",
        meals: ["colazione", "pranzo", "cena"],
        reasons: [
            "nessun luogo del genere è noto",
            "è nell'elenco di ciò che si evita",
            "nessun giorno si passa nella sua zona",
            "gli manca qualcosa di necessario",
            "nessun giorno ha ancora un tale pasto",
            "in nessuno dei giorni è aperto abbastanza a lungo",
            "nessuna via vi conduce",
            "non si può raggiungere e lasciare in tempo",
            "non è compatibile con ciò che è fissato",
            "non resta tempo",
            "i giorni sono pieni quanto il ritmo permette",
            "i giorni ne hanno abbastanza di questo genere",
            "si camminerebbe più di quanto si voglia",
            "non resta denaro",
            "non rientra nei limiti della giornata",
        ],
    },
    Phrases {
        language: "pt",
        day_in: "Um dia em {}",
        days_in: "{} dias em {}",
        and: "e",
        more: "{} e mais",
        arrival: "Chegada",
        leisure: "Dia livre",
        nothing: "Nada está previsto: o dia é seu.",
        summary: "{} lugares em {} dias.",
        parts: ["Manhã", "Tarde", "Noite"],
        weather: "Previsão: de {} a {} °C.",
        usually: "O habitual: de {} a {} °C.",
        rain: "É provável que chova.",
        holiday: "Feriado: {}.",
        estimates: "Os horários e os preços são estimativas.",
        asked_for: "a seu pedido",
        transfer: "o caminho até ao fim do dia",
        meals: ["pequeno-almoço", "almoço", "jantar"],
        reasons: [
            "não se conhece um lugar assim",
            "está na lista do que se evita",
            "nenhum dia é passado na sua zona",
            "falta-lhe algo necessário",
            "nenhum dia tem ainda essa refeição",
            "em nenhum dos dias está aberto tempo suficiente",
            "nenhum caminho leva até lá",
            "não se consegue chegar e sair a tempo",
            "não é compatível com o que está marcado",
            "já não há tempo",
            "os dias estão tão cheios quanto o ritmo permite",
            "os dias já têm o suficiente desse tipo",
            "seria preciso andar mais do que o desejado",
            "já não há dinheiro",
            "não cabe nos limites do dia",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_the_words_of_its_language_and_an_unknown_language_those_of_english() {
        assert_eq!(Phrases::of("pt-BR").language, "pt");
        assert_eq!(Phrases::of("DE").language, "de");
        assert_eq!(Phrases::of("ja").language, "en");
    }

    #[test]
    fn every_language_has_the_same_places_to_fill() {
        let holes = |text: &str| text.matches("{}").count();
        for phrases in &ALL {
            for (text, count) in [
                (phrases.day_in, 1),
                (phrases.days_in, 2),
                (phrases.more, 1),
                (phrases.summary, 2),
                (phrases.weather, 2),
                (phrases.usually, 2),
                (phrases.holiday, 1),
            ] {
                assert_eq!(holes(text), count, "{}: {text}", phrases.language);
            }
        }
    }
}
